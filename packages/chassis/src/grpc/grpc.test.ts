import { execFile } from "node:child_process";
import { createServer as createTcpServer } from "node:net";
import { promisify } from "node:util";
import { health, metrics as metricsContract, pool } from "@berth/contracts";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../log/index.js";
import { type Channel, createChannel, createClient, FieldCheck, GrpcServer, PushStream, ReasonError } from "./index.js";

type Service = metricsContract.MetricsServiceImplementation;
const { MetricsServiceDefinition, ListSamplesResponse, GetConcurrencyResponse } = metricsContract;

const opened: { server: GrpcServer; channel: Channel }[] = [];
afterEach(async () => {
  for (const { server, channel } of opened.splice(0)) {
    channel.close();
    await server.stop(200);
  }
});

async function open(implementation: Partial<Service>, settings: { token?: string; fence?: () => Promise<void> } = {}) {
  const metrics = new Registry();
  const server = new GrpcServer({ logger: silentLogger, metrics, ...settings });
  const missing = async (): Promise<never> => {
    throw new ReasonError("UNIMPLEMENTED", "not in this test");
  };
  server.add(MetricsServiceDefinition, { getConcurrency: missing, listSamples: missing, ...implementation } as Service);
  const port = await server.listen("127.0.0.1", 0);
  server.setServing(true);
  const channel = createChannel(`127.0.0.1:${port}`);
  opened.push({ server, channel });
  return { server, port, channel, metrics };
}

describe("a gRPC server and client", () => {
  it("tell neither an answer nor a refusal of a service that may have lost its leadership", async () => {
    const lost = new ReasonError("STORE_STALLED", "somebody else leads");
    const { channel } = await open(
      {
        listSamples: async () => ListSamplesResponse.fromPartial({}),
        getConcurrency: async () => {
          throw new ReasonError("NOT_FOUND", "there is no such limit");
        },
      },
      { fence: () => Promise.reject(lost) },
    );
    const client = createClient(MetricsServiceDefinition, channel);
    await expect(client.listSamples({})).rejects.toMatchObject({ reason: "STORE_STALLED" });
    await expect(client.getConcurrency({})).rejects.toMatchObject({ reason: "STORE_STALLED" });
  });

  it("carry a reason, its fields and its delay to the caller", async () => {
    const { channel } = await open({
      listSamples: async () => {
        new FieldCheck().range("page_size", -1, 0, 1_000).name("limit", "../etc").throwIfAny();
        return ListSamplesResponse.fromPartial({});
      },
      getConcurrency: async () => {
        throw new ReasonError("QUEUE_FULL", "too much waits", { retryAfterMs: 150, metadata: { bound: "10" } });
      },
    });
    const client = createClient(MetricsServiceDefinition, channel);
    const wrong = await client.listSamples({}).catch((error: unknown) => error as ReasonError);
    expect(wrong).toMatchObject({
      reason: "INVALID_FIELD",
      details: { fields: [{ field: "page_size" }, { field: "limit" }] },
    });
    expect((wrong as ReasonError).message).toContain(
      "page_size: -1 is out of bounds: a whole number from 0 to 1000 is needed",
    );
    await expect(client.getConcurrency({})).rejects.toMatchObject({
      reason: "QUEUE_FULL",
      details: { retryAfterMs: 150, metadata: { bound: "10" } },
    });
  });

  it("hide what an unforeseen error says", async () => {
    const { channel } = await open({
      getConcurrency: async () => {
        throw new Error("the password is hunter2");
      },
    });
    const error = await createClient(MetricsServiceDefinition, channel)
      .getConcurrency({})
      .catch((reason: unknown) => reason as ReasonError);
    expect(error).toMatchObject({ reason: "INTERNAL" });
    expect((error as ReasonError).message).not.toContain("hunter2");
  });

  it("end a call at its deadline and repeat one that was unavailable", async () => {
    let calls = 0;
    const { channel } = await open({
      getConcurrency: async () => {
        if (++calls < 3) throw new ReasonError("NOT_READY", "not yet", { retryAfterMs: 1 });
        return GetConcurrencyResponse.fromPartial({ revision: 7n });
      },
      listSamples: () => new Promise<never>(() => {}),
    });
    const patient = createClient(MetricsServiceDefinition, channel, { retry: true });
    expect((await patient.getConcurrency({})).revision).toBe(7n);
    expect(calls).toBe(3);
    const hurried = createClient(MetricsServiceDefinition, channel, { retry: true, timeoutMs: 300 });
    await expect(hurried.listSamples({})).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });

  it("bound all tries of a call together by the deadline that its caller gave", async () => {
    let calls = 0;
    const { channel } = await open({
      getConcurrency: async () => {
        calls++;
        throw new ReasonError("NOT_READY", "not yet", { retryAfterMs: 60_000 });
      },
    });
    const client = createClient(MetricsServiceDefinition, channel, { retry: true, retryForMs: 600_000 });
    for (const deadline of [30_000, new Date(Date.now() + 30_000)]) {
      calls = 0;
      // A second try could only begin after the deadline, so there is none, and nobody waits for it.
      await expect(client.getConcurrency({}, { deadline })).rejects.toMatchObject({ reason: "NOT_READY" });
      expect(calls).toBe(1);
    }
  });

  it("count calls under the usual names", async () => {
    const { channel, metrics } = await open({ getConcurrency: async () => GetConcurrencyResponse.fromPartial({}) });
    await createClient(MetricsServiceDefinition, channel).getConcurrency({});
    expect(await metrics.metrics()).toContain(
      'grpc_server_handled_total{grpc_service="berth.metrics.v1.MetricsService",grpc_method="GetConcurrency",grpc_type="unary",grpc_code="OK"} 1',
    );
  });

  it("answer health by service and watch it change", async () => {
    const { channel, server } = await open({});
    const client = createClient(health.HealthDefinition, channel);
    expect((await client.check({ service: "berth.metrics.v1.MetricsService" })).status).toBe("SERVING");
    await expect(client.check({ service: "nobody" })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    const seen: string[] = [];
    for await (const answer of client.watch({ service: "" })) {
      seen.push(answer.status);
      if (seen.length === 1) server.setServing(false);
      else break;
    }
    expect(seen).toEqual(["SERVING", "NOT_SERVING"]);
  });

  it("list services and call them by reflection, as grpcurl does", async () => {
    const { port } = await open({ getConcurrency: async () => GetConcurrencyResponse.fromPartial({ revision: 42n }) });
    const common = ["curl", "--protocol", "grpc", "--http2-prior-knowledge"];
    const buf = async (...args: string[]) =>
      (await promisify(execFile)("node_modules/.bin/buf", [...common, ...args])).stdout;
    expect(await buf(`http://127.0.0.1:${port}`, "--list-methods")).toContain(
      "berth.metrics.v1.MetricsService/GetConcurrency",
    );
    expect(await buf("-d", "{}", `http://127.0.0.1:${port}/berth.metrics.v1.MetricsService/GetConcurrency`)).toContain(
      '"revision": "42"',
    );
  });

  it("name a port that is taken, and what to do", async () => {
    const taken = createTcpServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as { port: number };
    const server = new GrpcServer({ logger: silentLogger, metrics: new Registry() });
    await expect(server.listen("127.0.0.1", port)).rejects.toThrow(
      `gRPC can't listen: 127.0.0.1:${port} is in use by another process: stop it (is a Berth running?), or choose another port`,
    );
    await server.stop();
    taken.close();
  });
});

describe("the token", () => {
  it("is asked of everything that isn't a read", async () => {
    const { server, port } = await openPools("secret");
    const channel = createChannel(`127.0.0.1:${port}`);
    opened.push({ server, channel });
    const read = createClient(pool.PoolServiceDefinition, channel);
    expect((await read.getPool({ pool: "a" })).pool?.pool).toBe("a");
    await expect(read.deletePool({ pool: "a" })).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
    const wrong = createClient(pool.PoolServiceDefinition, channel, { token: "guess" });
    await expect(wrong.deletePool({ pool: "a" })).rejects.toMatchObject({
      message: expect.stringContaining("wrong token"),
    });
    await createClient(pool.PoolServiceDefinition, channel, { token: "secret" }).deletePool({ pool: "a" });
  });
});

async function openPools(token: string) {
  const server = new GrpcServer({ logger: silentLogger, metrics: new Registry(), token });
  const answer = async () => pool.GetPoolResponse.fromPartial({ pool: { pool: "a" } });
  const methods = Object.keys(pool.PoolServiceDefinition.methods).map((method) => [method, answer]);
  const implementation = Object.fromEntries(methods) as pool.PoolServiceImplementation;
  server.add(pool.PoolServiceDefinition, implementation);
  return { server, port: await server.listen("127.0.0.1", 0) };
}

describe("a push stream", () => {
  it("hands on in order, refuses above its bound, and ends behind what waits", async () => {
    const stream = new PushStream<number>({ maxItems: 2 });
    expect([stream.push(1), stream.push(2), stream.push(3)]).toEqual([true, true, false]);
    stream.end();
    const taken: number[] = [];
    for await (const item of stream) taken.push(item);
    expect(taken).toEqual([1, 2]);
    expect(stream.push(4)).toBe(false);
  });
});
