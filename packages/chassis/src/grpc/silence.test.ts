import { type AddressInfo, createServer, type Socket } from "node:net";
import { metrics as contract } from "@berth/contracts";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../log/index.js";
import { createChannel, createClient, GrpcServer } from "./index.js";

const { MetricsServiceDefinition, GetConcurrencyResponse } = contract;

/** Does nothing at all, not even read: as a process that computes, is starved, or was stopped. */
function block(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

describe("a silent peer", () => {
  it("isn't what a process finds that was blocked itself, between two turns too", async () => {
    let answer = (): void => undefined;
    const server = new GrpcServer({ logger: silentLogger, metrics: new Registry() });
    const called = new Promise<void>((began) => {
      server.add(MetricsServiceDefinition, {
        getConcurrency: () =>
          new Promise((resolve) => {
            answer = () => resolve(GetConcurrencyResponse.fromPartial({ revision: 7n }));
            began();
          }),
        listSamples: () => new Promise<never>(() => {}),
      });
    });
    const channel = createChannel(`127.0.0.1:${await server.listen("127.0.0.1", 0)}`);
    const outcome = createClient(MetricsServiceDefinition, channel, { timeoutMs: 600_000 }).getConcurrency({});
    await called;
    // Longer than the pause between pings, so one leaves now; then longer than anybody waits, with its answer unread.
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        block(3_200);
        setTimeout(() => setImmediate(resolve), 0);
      }, 0);
    });
    block(8_000);
    await new Promise((resolve) => setTimeout(resolve, 0));
    answer();
    expect((await outcome).revision).toBe(7n);
    channel.close();
    await server.stop(0);
  });

  it("is given up once it says nothing, though the connection stands", async () => {
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => {
      // What HTTP/2 begins with: our settings, none of them. After that nothing, not even to a ping.
      socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
      sockets.add(socket);
    });
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const channel = createChannel(`127.0.0.1:${(mute.address() as AddressInfo).port}`);
    const client = createClient(MetricsServiceDefinition, channel, { timeoutMs: 600_000 });
    await expect(client.getConcurrency({})).rejects.toMatchObject({ reason: "UNREACHABLE" });
    channel.close();
    for (const socket of sockets) socket.destroy();
    mute.close();
  });
});
