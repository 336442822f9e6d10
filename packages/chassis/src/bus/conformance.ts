import assert from "node:assert/strict";
import type { Subject } from "@berth/contracts";
import type { Bus } from "./port.js";

/** One behaviour that every bus must show. */
export interface BusCase {
  /** A sentence: what a bus does. */
  readonly name: string;
  /** Rejects if it doesn't. */
  run(bus: Bus, advance: (ms: number) => Promise<void>): Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A subject of texts wrapped in objects, so that sharing by reference would show. */
function subjectOf(name: string): Subject<{ text: string }> {
  return {
    name: `berth.conformance.${name}`,
    encode: ({ text }) => encoder.encode(text),
    decode: (bytes) => ({ text: decoder.decode(bytes) }),
  };
}

/** Collects what a handler was given and lets a test wait for a number of messages. */
class Heard {
  readonly texts: string[] = [];
  private waiting: { count: number; resolve: () => void } | undefined;

  readonly handler = async (messages: { text: string }[]): Promise<void> => {
    this.texts.push(...messages.map((message) => message.text));
    if (this.waiting && this.texts.length >= this.waiting.count) this.waiting.resolve();
  };

  async until(count: number): Promise<string[]> {
    if (this.texts.length < count) {
      await new Promise<void>((resolve) => {
        this.waiting = { count, resolve };
      });
    }
    return this.texts;
  }
}

/**
 * What every bus must do. `advance` lets time go by where the bus has a clock of the test's; with a real one it just waits. Each case
 * uses a subject of its own, on a bus of its own.
 */
export const busConformance: readonly BusCase[] = [
  {
    name: "delivers to every durable, in order",
    async run(bus) {
      const subject = subjectOf("order");
      const [one, two] = [new Heard(), new Heard()];
      await bus.subscribe(subject, "one", one.handler);
      await bus.subscribe(subject, "two", two.handler);
      for (const text of ["a", "b", "c"]) await bus.publish(subject, { text });
      assert.deepEqual(await one.until(3), ["a", "b", "c"]);
      assert.deepEqual(await two.until(3), ["a", "b", "c"]);
    },
  },
  {
    name: "keeps subjects apart",
    async run(bus) {
      const [mine, other] = [subjectOf("apart-mine"), subjectOf("apart-other")];
      const heard = new Heard();
      await bus.subscribe(mine, "one", heard.handler);
      await bus.publish(other, { text: "not for me" });
      await bus.publish(mine, { text: "for me" });
      assert.deepEqual(await heard.until(1), ["for me"]);
    },
  },
  {
    name: "delivers a batch again when the handler rejects, before later messages",
    async run(bus, advance) {
      const subject = subjectOf("again");
      const heard = new Heard();
      let failures = 2;
      await bus.subscribe(subject, "one", async (messages) => {
        if (failures-- > 0) throw new Error("not now");
        await heard.handler(messages);
      });
      await bus.publish(subject, { text: "a" });
      await advance(50);
      await bus.publish(subject, { text: "b" });
      await advance(1_000);
      assert.deepEqual(await heard.until(2), ["a", "b"]);
    },
  },
  {
    name: "calls a handler with one batch at a time",
    async run(bus, advance) {
      const subject = subjectOf("one-at-a-time");
      const heard = new Heard();
      let inside = 0;
      let most = 0;
      await bus.subscribe(subject, "one", async (messages) => {
        inside += 1;
        most = Math.max(most, inside);
        await new Promise<void>((resolve) => setImmediate(resolve));
        inside -= 1;
        await heard.handler(messages);
      });
      for (const text of ["a", "b", "c", "d"]) {
        await bus.publish(subject, { text });
        await advance(1);
      }
      await heard.until(4);
      assert.equal(most, 1);
    },
  },
  {
    name: "gives every receiver a copy of its own",
    async run(bus, advance) {
      const subject = subjectOf("copies");
      const sent = { text: "as sent" };
      const [one, two] = [new Heard(), new Heard()];
      let first: { text: string } | undefined;
      await bus.subscribe(subject, "one", async (messages) => {
        const again = first !== undefined;
        first ??= messages[0];
        if (first) first.text = "changed by a receiver";
        if (!again) throw new Error("again, please");
        await one.handler(messages);
      });
      await bus.subscribe(subject, "two", two.handler);
      const published = bus.publish(subject, sent);
      sent.text = "changed by the sender";
      await published;
      await advance(1_000);
      assert.deepEqual(await one.until(1), ["as sent"]);
      assert.deepEqual(await two.until(1), ["as sent"]);
    },
  },
  {
    name: "drops a message whose id was published before, and only that",
    async run(bus) {
      const subject = subjectOf("ids");
      const heard = new Heard();
      await bus.subscribe(subject, "one", heard.handler);
      await bus.publish(subject, { text: "a" }, { id: "1" });
      await bus.publish(subject, { text: "a again" }, { id: "1" });
      await bus.publish(subject, { text: "b" }, { id: "2" });
      await bus.publish(subject, { text: "c" });
      assert.deepEqual(await heard.until(3), ["a", "b", "c"]);
    },
  },
  {
    name: "keeps what arrives while a durable is stopped",
    async run(bus) {
      const subject = subjectOf("durable");
      const [before, after] = [new Heard(), new Heard()];
      const subscription = await bus.subscribe(subject, "one", before.handler);
      await bus.publish(subject, { text: "a" });
      await before.until(1);
      await subscription.stop();
      await subscription.stop();
      await bus.publish(subject, { text: "b" });
      await bus.subscribe(subject, "one", after.handler);
      assert.deepEqual(await after.until(1), ["b"]);
      assert.deepEqual(before.texts, ["a"]);
    },
  },
  {
    name: "waits for the handler when a subscription stops",
    async run(bus) {
      const subject = subjectOf("stopping");
      let release: () => void = () => {};
      let entered: () => void = () => {};
      const inside = new Promise<void>((resolve) => {
        entered = resolve;
      });
      let finished = false;
      const subscription = await bus.subscribe(subject, "one", async () => {
        entered();
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        finished = true;
      });
      await bus.publish(subject, { text: "a" });
      await inside;
      const stopped = subscription.stop();
      release();
      await stopped;
      assert.equal(finished, true);
    },
  },
  {
    name: "drops what can't be decoded and delivers the rest",
    async run(bus) {
      const subject = subjectOf("garbage");
      const garbage: Subject<Uint8Array> = { name: subject.name, encode: (bytes) => bytes, decode: (bytes) => bytes };
      const heard = new Heard();
      await bus.subscribe(subject, "one", heard.handler);
      await bus.publish(garbage, Uint8Array.of(0xff, 0xfe));
      await bus.publish(subject, { text: "a" });
      assert.deepEqual(await heard.until(1), ["a"]);
    },
  },
  {
    name: "refuses work once it is closed, and closes twice",
    async run(bus) {
      const subject = subjectOf("closed");
      await bus.subscribe(subject, "one", async () => {});
      await bus.close();
      await bus.close();
      await assert.rejects(bus.publish(subject, { text: "a" }));
      await assert.rejects(bus.subscribe(subject, "two", async () => {}));
    },
  },
];
