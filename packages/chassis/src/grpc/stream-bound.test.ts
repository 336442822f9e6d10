import { connect } from "node:net";
import * as contracts from "@berth/contracts";
import type { CompatServiceDefinition, ServiceImplementation } from "nice-grpc";
import { type CallContext, Metadata } from "nice-grpc-common";
import { Registry } from "prom-client";
import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../log/index.js";
import { type Channel, createChannel, createClient, type GrpcBounds, GrpcServer, ReasonError } from "./index.js";

type Definition = CompatServiceDefinition & { readonly fullName: string };
type Streams = Record<string, (request: unknown, options?: object) => AsyncIterable<unknown>>;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const definitions = Object.values(contracts)
  .flatMap((room) => Object.values(room as Record<string, unknown>))
  .filter((one): one is Definition => typeof one === "object" && one !== null && "methods" in one)
  .filter(({ fullName }) => fullName.startsWith("berth."));
const streaming = definitions.flatMap((definition) =>
  Object.entries(definition.methods)
    .filter(([, method]) => method.responseStream)
    .map(([name]) => ({ definition, name, title: `${definition.fullName}/${name}` })),
);

/** Every method is a stream that says one word and stays open until its caller leaves. */
function lasting(left: () => void): ServiceImplementation<Definition> {
  const stay = async function* (_request: unknown, { signal }: CallContext): AsyncGenerator<object> {
    try {
      yield {};
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    } finally {
      left();
    }
  };
  return new Proxy({}, { get: () => stay }) as ServiceImplementation<Definition>;
}

/** A stream that never waits for the network or its caller's leaving. */
function endless(left: () => void): ServiceImplementation<Definition> {
  const flow = async function* (): AsyncGenerator<object> {
    try {
      for (;;) {
        yield {};
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      left();
    }
  };
  return new Proxy({}, { get: () => flow }) as ServiceImplementation<Definition>;
}

async function serve(definition: Definition, bounds: Partial<GrpcBounds>, token?: string, implement = lasting) {
  let gone = (): void => undefined;
  const left = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const server = new GrpcServer({
    logger: silentLogger,
    metrics: new Registry(),
    bounds,
    ...(token === undefined ? {} : { token }),
  });
  server.add(definition, implement(gone));
  const port = await server.listen("127.0.0.1", 0);
  closing.push(() => server.stop(200));
  const connection = (): Channel => {
    const channel = createChannel(`127.0.0.1:${port}`);
    closing.push(() => channel.close());
    return channel;
  };
  return { port, connection, left };
}

/** Opens a stream and waits for its first word, or for its refusal. */
async function openOne(definition: Definition, name: string, channel: Channel, authorization?: string) {
  const ending = new AbortController();
  closing.push(() => ending.abort());
  const client = createClient(definition, channel) as unknown as Streams;
  const requests = (async function* () {
    await new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve()));
  })();
  const request = (definition.methods as Record<string, { readonly requestStream: boolean }>)[name]?.requestStream
    ? requests
    : {};
  const metadata = Metadata(authorization === undefined ? {} : { authorization });
  const stream = (client[name] as Streams[string])(request, { signal: ending.signal, metadata });
  await stream[Symbol.asyncIterator]().next();
  return ending;
}

const watch = streaming.find(({ name }) => name === "watchTasks") as (typeof streaming)[number];

describe("streams of a server", () => {
  it.each(streaming)("$title: no more on one connection than the bound, and the refusal says which", async (one) => {
    const { connection } = await serve(one.definition, { streamsPerConnection: 2 });
    const [first, second] = [connection(), connection()];
    await openOne(one.definition, one.name, first);
    await openOne(one.definition, one.name, first);
    const refused = await openOne(one.definition, one.name, first).catch((error: unknown) => ReasonError.from(error));
    expect(refused).toMatchObject({ reason: "TOO_MANY_STREAMS", details: { retryAfterMs: 5_000 } });
    expect((refused as ReasonError).message).toContain(
      "2 streams are open on this connection already, which is the bound streamsPerConnection",
    );
    await openOne(one.definition, one.name, second);
  });

  it("give their place back when their caller leaves", async () => {
    const { connection, left } = await serve(watch.definition, { streamsPerConnection: 1 });
    const channel = connection();
    (await openOne(watch.definition, watch.name, channel)).abort();
    await left;
    await openOne(watch.definition, watch.name, channel);
  });

  it("end with their caller, though the service doesn't look", async () => {
    const { connection, left } = await serve(watch.definition, {}, undefined, endless);
    (await openOne(watch.definition, watch.name, connection())).abort();
    await left;
  });

  it("are bounded in all, apart for callers with and without the token: readers can't keep runners out", async () => {
    const { connection } = await serve(watch.definition, { readerStreamsMax: 2, streamsMax: 1 }, "secret");
    const open = (authorization?: string) => openOne(watch.definition, watch.name, connection(), authorization);
    await open();
    await open("Bearer wrong");
    await expect(open()).rejects.toThrow("which is the bound readerStreamsMax");
    await open("Bearer secret");
    await expect(open("Bearer secret")).rejects.toThrow("which is the bound streamsMax");
  });
});

describe("connections of a server", () => {
  it("are closed at once beyond the bound", async () => {
    const { port } = await serve(watch.definition, { connectionsMax: 1 });
    const first = connect(port, "127.0.0.1");
    closing.push(() => first.destroy());
    await new Promise((resolve) => first.once("data", resolve));
    const second = connect(port, "127.0.0.1");
    second.on("error", () => undefined);
    second.resume();
    await new Promise((resolve) => second.once("close", resolve));
    expect(first.destroyed).toBe(false);
  });
});
