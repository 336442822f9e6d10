import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subject } from "@berth/contracts";
import { type NatsServer, serversAvailable, startNats } from "@berth/testkit";
import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";
import { connect } from "nats";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { delay, systemClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { startTelemetry } from "../telemetry/index.js";
import { busConformance } from "./index.js";
import { BusUnavailable, NatsBus, type NatsBusOptions, type Poison } from "./nats.js";

const number: Subject<number> = {
  name: "berth.test",
  encode: (value) => new TextEncoder().encode(String(value)),
  decode: (bytes) => {
    const value = Number(new TextDecoder().decode(bytes));
    if (Number.isNaN(value)) throw new Error("not a number");
    return value;
  },
};

describe.skipIf(!serversAvailable().nats)("the bus on NATS (needs nats-server)", { timeout: 30_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-nats-bus-"));
  const open: NatsBus[] = [];
  let server: NatsServer;
  let environments = 0;

  beforeAll(async () => {
    server = await startNats({ folder });
  });
  afterEach(async () => {
    for (const bus of open.splice(0)) await bus.close();
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A bus in an environment of its own, unless a prefix is given. */
  function start(options: Partial<NatsBusOptions> = {}): NatsBus {
    environments += 1;
    const bus = new NatsBus({
      servers: [server.url],
      prefix: `test-${environments}`,
      clock: systemClock,
      logger: silentLogger,
      ...options,
    });
    open.push(bus);
    return bus;
  }

  it.each(busConformance)("$name", async ({ run }) => {
    await run(start(), (ms) => delay(systemClock, ms));
  });

  it("hands over what waits as one batch, in order and within its bound", async () => {
    const bus = start({ batchMax: 100 });
    const subscription = await bus.subscribe(number, "one", async () => {});
    await subscription.stop();
    await Promise.all(Array.from({ length: 1_000 }, (_, value) => bus.publish(number, value)));
    const batches: number[][] = [];
    await new Promise<void>((resolve) => {
      void bus.subscribe(number, "one", async (messages) => {
        batches.push(messages);
        if (batches.flat().length === 1_000) resolve();
      });
    });
    expect(batches.flat()).toEqual(Array.from({ length: 1_000 }, (_, value) => value));
    expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(100);
    expect(batches.length).toBeLessThan(100);
    await expect
      .poll(() => bus.figures)
      .toMatchObject({ published: 1_000, received: 1_000, refused: 0, unacknowledged: 0 });
  });

  it("leaves a message unacknowledged until the handler has accepted it, so that another process gets it", async () => {
    const one = start();
    const prefix = `test-${environments}`;
    let refused: () => void = () => {};
    const once = new Promise<void>((resolve) => {
      refused = resolve;
    });
    const subscription = await one.subscribe(number, "shared", async () => {
      refused();
      throw new Error("the commit failed");
    });
    await one.publish(number, 7);
    await once;
    await subscription.stop();
    expect(one.figures.rejected).toBeGreaterThan(0);
    const other = start({ prefix });
    const heard = await new Promise<number[]>((resolve) => {
      void other.subscribe(number, "shared", async (messages) => resolve(messages));
    });
    expect(heard).toEqual([7]);
  });

  it("keeps its claim on a batch whose handler takes longer than the server waits", async () => {
    const bus = start({ ackWaitMs: 3_000 });
    // Claims are made every third of the wait, so that after five of them it would be over.
    const connection = await connect({ servers: server.url });
    let claims = 0;
    let enough: () => void = () => {};
    const claimed = new Promise<void>((resolve) => {
      enough = resolve;
    });
    connection.subscribe(`$JS.ACK.BERTH_test-${environments}.>`, {
      callback: (_, message) => {
        if (message.string() === "+WPI" && ++claims === 5) enough();
      },
    });
    await connection.flush();
    const heard: number[] = [];
    await bus.subscribe(number, "one", async (messages) => {
      heard.push(...messages);
      await claimed;
    });
    await bus.publish(number, 1);
    await claimed;
    await bus.publish(number, 2);
    await expect.poll(() => heard).toEqual([1, 2]);
    await connection.close();
  });

  it("ends a message that can't be decoded, reports it, and delivers the rest once", async () => {
    const poison: Poison[] = [];
    const bus = start({ onPoison: (each) => poison.push(each) });
    const heard: number[] = [];
    await bus.subscribe(number, "one", async (messages) => void heard.push(...messages));
    await bus.publish({ ...number, encode: () => new TextEncoder().encode("garbage") }, 0);
    await bus.publish(number, 1);
    // What the server owes nobody an answer for, it doesn't deliver again.
    const connection = await connect({ servers: server.url });
    const { consumers } = await connection.jetstreamManager();
    await expect
      .poll(() => consumers.info(`BERTH_test-${environments}`, "one__berth_test"))
      .toMatchObject({ ack_floor: { stream_seq: 2 }, num_ack_pending: 0, num_redelivered: 0 });
    await connection.close();
    expect(heard).toEqual([1]);
    expect(poison).toEqual([{ subject: "berth.test", durable: "one", sequence: 1, error: new Error("not a number") }]);
    expect(bus.figures.poisoned).toBe(1);
  });

  it("makes its stream with file storage, bounds that refuse what is new, and the window for ids", async () => {
    const bus = start({ maxAgeMs: 900_000, maxBytes: 2 ** 21 });
    await bus.publish(number, 1);
    const connection = await connect({ servers: server.url });
    const { config } = await (await connection.jetstreamManager()).streams.info(`BERTH_test-${environments}`);
    await connection.close();
    expect(config).toMatchObject({
      subjects: [`test-${environments}.>`],
      storage: "file",
      retention: "limits",
      discard: "new",
      max_age: 900e9,
      max_bytes: 2 ** 21,
      duplicate_window: 600e9,
    });
  });

  it("says so when the stream is full, and takes nothing that it can't keep", async () => {
    const bus = start({ maxBytes: 2 ** 20 });
    const large: Subject<number> = { ...number, encode: () => new Uint8Array(300_000) };
    for (let value = 0; value < 3; value++) await bus.publish(large, value);
    await expect(bus.publish(large, 4)).rejects.toThrow(/stream of the bus is full/);
    await bus.publish(number, 5);
    expect(bus.figures).toMatchObject({ published: 4, refused: 1 });
  });

  it("refuses a message above the server's bound by naming it", async () => {
    const bus = start();
    const huge: Subject<number> = { ...number, encode: () => new Uint8Array(2 ** 21) };
    await expect(bus.publish(huge, 1)).rejects.toThrow(/2097152 bytes is above the server's bound of 1048576/);
  });

  it("refuses names and bounds that the server would misread", async () => {
    expect(() => start({ prefix: "a.b" })).toThrow(/bus prefix "a.b"/);
    expect(() => start({ maxAgeMs: 1 })).toThrow(/maxAgeMs: 1 .* at least 600000/);
    await expect(start().subscribe(number, "a.b", async () => {})).rejects.toThrow(/durable "a.b"/);
  });

  it("goes on with the trace of a publication in its delivery", async () => {
    const exporter = new InMemorySpanExporter();
    const telemetry = await startTelemetry({ service: "test", environment: {}, exporter });
    const bus = start({ telemetry });
    const span = telemetry.startSpan("outer");
    const heard = new Promise<void>((resolve) => {
      void bus.subscribe(number, "one", async () => resolve()).then(() => span.run(() => bus.publish(number, 1)));
    });
    await heard;
    span.end();
    await bus.close();
    const spans = exporter.getFinishedSpans();
    const [sent, processed] = ["send berth.test", "process berth.test"].map((name) =>
      spans.find((each) => each.name === name),
    );
    expect(processed?.parentSpanContext?.spanId).toBe(sent?.spanContext().spanId);
    expect(processed?.spanContext().traceId).toBe(spans.find((each) => each.name === "outer")?.spanContext().traceId);
    await telemetry.stop();
  });

  it("refuses to buffer without bound when the server is away from the start", async () => {
    const bus = start({ servers: ["nats://127.0.0.1:1"], maxBuffered: 2, publishWithinMs: 1_000, joinWithinMs: 50 });
    await bus.subscribe(number, "one", async () => {});
    const buffered = [bus.publish(number, 1), bus.publish(number, 2)];
    await expect(bus.publish(number, 3)).rejects.toThrow(/can't be reached and 2 messages are waiting already/);
    expect(bus.connected).toBe(false);
    for (const each of buffered) await expect(each).rejects.toThrow(BusUnavailable);
  });
});
