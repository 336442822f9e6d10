import { metrics as contract } from "@berth/contracts";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../log/index.js";
import { createChannel, createClient, GrpcServer, ReasonError } from "./index.js";

const { MetricsServiceDefinition, GetConcurrencyResponse } = contract;
type Answer = contract.MetricsServiceImplementation["getConcurrency"];

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const answer: Answer = async () => GetConcurrencyResponse.fromPartial({ revision: 7n });

async function serve(getConcurrency: Answer, port = 0) {
  const server = new GrpcServer({ logger: silentLogger, metrics: new Registry() });
  const implementation = { getConcurrency } as contract.MetricsServiceImplementation;
  server.add(MetricsServiceDefinition, { ...implementation, listSamples: () => new Promise<never>(() => {}) });
  opened.push(() => server.stop(0));
  return { server, port: await server.listen("127.0.0.1", port) };
}

function clientOf(port: number, options: { retry: boolean; retryForMs?: number; timeoutMs?: number }) {
  const channel = createChannel(`127.0.0.1:${port}`);
  opened.push(() => channel.close());
  return createClient(MetricsServiceDefinition, channel, options);
}

describe("a call that is safe to repeat", () => {
  it("is repeated for its window from the first failure, however long it took until then", async () => {
    const retryForMs = 5;
    let calls = 0;
    const { port } = await serve(async (request, context) => {
      if (++calls > 1) return answer(request, context);
      const longEnoughMs = performance.now() + 2 * retryForMs;
      while (performance.now() < longEnoughMs) await new Promise(setImmediate);
      throw new ReasonError("NOT_READY", "not yet", { retryAfterMs: 0 });
    });
    expect((await clientOf(port, { retry: true, retryForMs }).getConcurrency({})).revision).toBe(7n);
    expect(calls).toBe(2);
  });

  for (const retry of [true, false]) {
    const name = retry ? "is repeated" : "says that nobody answered, where it may not be repeated,";
    it(`${name} when a server stops and cancels it`, async () => {
      let began = (): void => undefined;
      const begun = new Promise<void>((resolve) => {
        began = resolve;
      });
      const { server, port } = await serve(() => {
        began();
        return new Promise<never>(() => {});
      });
      const outcome = clientOf(port, { retry, retryForMs: 600_000, timeoutMs: 600_000 })
        .getConcurrency({})
        .then(
          ({ revision }) => revision,
          (error: ReasonError) => error.reason,
        );
      await begun;
      await server.stop(0);
      await serve(answer, port);
      expect(await outcome).toBe(retry ? 7n : "UNREACHABLE");
    });
  }

  it("isn't repeated when its caller cancelled it", async () => {
    let calls = 0;
    const cancelled = new AbortController();
    const { port } = await serve(() => {
      calls++;
      cancelled.abort();
      return new Promise<never>(() => {});
    });
    const client = clientOf(port, { retry: true, retryForMs: 600_000 });
    await expect(client.getConcurrency({}, { signal: cancelled.signal })).rejects.toMatchObject({
      reason: "CANCELLED",
    });
    expect(calls).toBe(1);
  });
});
