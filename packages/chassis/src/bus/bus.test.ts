import { subjects } from "@berth/contracts";
import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { startTelemetry } from "../telemetry/index.js";
import { type Bus, type BusOptions, busConformance, type Faults, FaultyBus, InProcessBus } from "./index.js";

const open: Bus[] = [];
afterEach(async () => {
  for (const bus of open.splice(0)) await bus.close();
});

function start(options: Partial<BusOptions> = {}): { bus: InProcessBus; clock: ManualClock } {
  const clock = new ManualClock();
  const bus = new InProcessBus({ clock, logger: silentLogger, ...options });
  open.push(bus);
  return { bus, clock };
}

const number = {
  name: "berth.test",
  encode: (value: number) => Uint8Array.of(value),
  decode: (bytes: Uint8Array) => bytes[0] ?? -1,
};

describe.each([
  ["the in-process bus", (bus: Bus) => bus],
  [
    "a faulty bus without faults",
    (bus: Bus, clock: ManualClock) => new FaultyBus(bus, { clock, random: () => 0, faults: {} }),
  ],
])("%s", (_, wrap) => {
  it.each(busConformance)("$name", async ({ run }) => {
    const { bus, clock } = start();
    await run(wrap(bus, clock), (ms) => clock.advance(ms));
  });
});

describe("the in-process bus", () => {
  it("carries the project's own messages", async () => {
    const { bus, clock } = start();
    const heard: unknown[] = [];
    await bus.subscribe(subjects.lease, "registry", async (batches) => void heard.push(...batches));
    const message = subjects.lease.decode(subjects.lease.encode({ events: [] } as never));
    await bus.publish(subjects.lease, message);
    await clock.advance(0);
    expect(heard).toEqual([message]);
  });

  it("delivers what is published in one turn as one batch", async () => {
    const { bus, clock } = start();
    const sizes: number[] = [];
    await bus.subscribe(number, "one", async (messages) => void sizes.push(messages.length));
    for (let value = 0; value < 100; value++) void bus.publish(number, value);
    await clock.advance(0);
    expect(sizes).toEqual([100]);
  });

  it("backs off twice as long each time, up to a bound, and starts anew after a success", async () => {
    const { bus, clock } = start();
    const triedMs: number[] = [];
    let fail = true;
    await bus.subscribe(number, "one", async () => {
      triedMs.push(clock.monoMs());
      if (fail) throw new Error("not now");
    });
    await bus.publish(number, 1);
    await clock.advance(40_000);
    // 0, +100, +200, +400, +800, +1600, +3200, +6400, then +10,000 each.
    expect(triedMs).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300, 12_700, 22_700, 32_700]);
    fail = false;
    await clock.advance(10_000);
    fail = true;
    triedMs.length = 0;
    await bus.publish(number, 2);
    await clock.advance(100);
    expect(triedMs).toEqual([50_000, 50_100]);
  });

  it("drops the oldest when too many wait for a durable", async () => {
    const { bus, clock } = start({ maxQueuedMessages: 3 });
    const first = await bus.subscribe(number, "one", async () => {});
    await first.stop();
    for (const value of [1, 2, 3, 4, 5]) await bus.publish(number, value);
    const heard: number[] = [];
    await bus.subscribe(number, "one", async (messages) => void heard.push(...messages));
    await clock.advance(0);
    expect(heard).toEqual([3, 4, 5]);
  });

  it("refuses a second subscription of a durable that hears", async () => {
    const { bus } = start();
    await bus.subscribe(number, "one", async () => {});
    await expect(bus.subscribe(number, "one", async () => {})).rejects.toThrow("one hears berth.test already");
  });

  it("links publication and delivery in traces", async () => {
    const exporter = new InMemorySpanExporter();
    const telemetry = await startTelemetry({ service: "test", environment: {}, exporter });
    const { bus, clock } = start({ telemetry });
    await bus.subscribe(number, "one", async () => {});
    await bus.publish(number, 1);
    await clock.advance(0);
    const [sent, processed] = exporter.getFinishedSpans();
    expect([sent?.name, processed?.name]).toEqual(["send berth.test", "process berth.test"]);
    expect(processed?.parentSpanContext?.spanId).toBe(sent?.spanContext().spanId);
    expect(processed?.links.map((link) => link.context.spanId)).toEqual([sent?.spanContext().spanId]);
    await telemetry.stop();
  });
});

describe("the faulty bus", () => {
  /** Publishes 1 to 200 through a faulty bus and gives what is heard within two seconds. */
  async function heardWith(faults: Faults, seed = 7): Promise<number[]> {
    const { bus, clock } = start();
    const faulty = new FaultyBus(bus, { clock, random: seeded(seed), faults });
    const heard: number[] = [];
    await faulty.subscribe(number, "one", async (messages) => void heard.push(...messages));
    for (let value = 1; value <= 200; value++) await faulty.publish(number, value, { id: String(value) });
    await clock.advance(2_000);
    return heard;
  }

  const all = Array.from({ length: 200 }, (_, index) => index + 1);
  const sorted = (values: number[]): number[] => [...new Set(values)].sort((a, b) => a - b);

  it("loses some", async () => {
    const heard = await heardWith({ drop: 0.2 });
    expect(heard.length).toBeGreaterThan(120);
    expect(heard.length).toBeLessThan(190);
  });

  it("doubles some", async () => {
    const heard = await heardWith({ double: 0.2 });
    expect(heard.length).toBeGreaterThan(210);
    expect(sorted(heard)).toEqual(all);
  });

  it("reorders some and loses at most the last", async () => {
    const heard = await heardWith({ reorder: 0.3 });
    expect(heard).not.toEqual(all.slice(0, heard.length));
    expect(sorted(heard).length).toBeGreaterThanOrEqual(199);
  });

  it("delays, and loses none by it", async () => {
    const heard = await heardWith({ delayMsMax: 1_000 });
    expect(heard).not.toEqual(all);
    expect(sorted(heard)).toEqual(all);
  });

  it("does the same with the same seed", async () => {
    const faults = { drop: 0.1, double: 0.1, reorder: 0.1, delayMsMax: 500 };
    expect(await heardWith(faults, 3)).toEqual(await heardWith(faults, 3));
    expect(await heardWith(faults, 3)).not.toEqual(await heardWith(faults, 4));
  });
});

/** mulberry32: small, and good enough to choose faults. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
