import { createServer } from "node:net";
import { health } from "@berth/contracts";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../log/index.js";
import { type Channel, createChannel, createClient, GrpcServer } from "./index.js";

const open: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop();
});

async function serverAt(port: number): Promise<{ server: GrpcServer; port: number }> {
  const server = new GrpcServer({ logger: silentLogger, metrics: new Registry() });
  open.push({ stop: () => server.stop(100) });
  return { server, port: await server.listen("127.0.0.1", port) };
}

function clientOf(addresses: string, retry = true) {
  const channel: Channel = createChannel(addresses);
  open.push({ stop: () => channel.close() });
  return createClient(health.HealthDefinition, channel, { retry });
}

/** A port on which nothing listens. */
async function deadPort(): Promise<number> {
  const { server, port } = await serverAt(0);
  await server.stop(0);
  return port;
}

describe("a channel with several addresses", () => {
  it("passes over one that refuses, and takes names", async () => {
    const { port } = await serverAt(0);
    const client = clientOf(`127.0.0.1:${await deadPort()},localhost:${port}`);
    expect((await client.check({ service: "" })).status).toBe("NOT_SERVING");
  });

  it("passes over one that accepts and then says nothing, as a stopped process does", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    open.push({ stop: () => silent.close() });
    const { port } = silent.address() as { port: number };
    const client = clientOf(`127.0.0.1:${port},127.0.0.1:${(await serverAt(0)).port}`);
    expect((await client.check({ service: "" })).status).toBe("NOT_SERVING");
  });

  it("goes on with the next when the one in use stops, and back when that one is the only one left", async () => {
    const [one, other] = [await serverAt(0), await serverAt(0)];
    const client = clientOf(`127.0.0.1:${one.port},127.0.0.1:${other.port}`);
    one.server.setServing(true);
    expect((await client.check({ service: "" })).status).toBe("SERVING");
    await one.server.stop(0);
    expect((await client.check({ service: "" })).status).toBe("NOT_SERVING");
    const again = await serverAt(one.port);
    again.server.setServing(true);
    await other.server.stop(0);
    expect((await client.check({ service: "" })).status).toBe("SERVING");
  });

  it("says which name can't be resolved, once none of them can", async () => {
    const client = clientOf("nobody.invalid:1,nowhere.invalid:2", false);
    await expect(client.check({ service: "" })).rejects.toThrow(/nobody\.invalid can't be resolved/);
  });
});
