import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subject } from "@berth/contracts";
import { type NatsServer, serversAvailable, startNats } from "@berth/testkit";
import { connect, type JetStreamManager, type NatsConnection } from "nats";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../clock/index.js";
import { silentLogger } from "../log/index.js";
import { type GapReason, NatsBus, type NatsBusOptions } from "./nats.js";

const number: Subject<number> = {
  name: "berth.test",
  encode: (value) => new TextEncoder().encode(String(value)),
  decode: (bytes) => Number(new TextDecoder().decode(bytes)),
};
const until = { timeout: 20_000, interval: 10 };

describe.skipIf(!serversAvailable().nats)(
  "the bus on NATS when its server fails (needs nats-server)",
  { timeout: 60_000 },
  () => {
    const open: NatsBus[] = [];
    let folder: string;
    let server: NatsServer;

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "berth-nats-faults-"));
      server = await startNats({ folder });
    });
    afterEach(async () => {
      for (const bus of open.splice(0)) await bus.close();
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    });

    function start(options: Partial<NatsBusOptions> = {}): NatsBus {
      const bus = new NatsBus({
        servers: [server.url],
        prefix: "test",
        clock: systemClock,
        logger: silentLogger,
        checkEveryMs: 200,
        ...options,
      });
      open.push(bus);
      return bus;
    }

    /** A receiver on a bus of its own: what it heard, and why it may have missed something. */
    async function hear(options: Partial<NatsBusOptions> = {}): Promise<{ heard: number[]; gaps: GapReason[] }> {
      const bus = start(options);
      const heard: number[] = [];
      const gaps: GapReason[] = [];
      bus.onGap(({ reason }) => gaps.push(reason));
      await bus.subscribe(number, "reader", async (messages) => void heard.push(...messages));
      return { heard, gaps };
    }

    async function byHand(
      work: (manager: JetStreamManager, connection: NatsConnection) => Promise<unknown>,
    ): Promise<void> {
      const connection = await connect({ servers: server.url });
      await work(await connection.jetstreamManager(), connection);
      await connection.close();
    }

    it("keeps what was published while the server was away, within its bounds, and says that it was", async () => {
      const publisher = start();
      const { heard, gaps } = await hear();
      await publisher.publish(number, 1);
      // Heard before the kill: what is on its way to a connection that is lost comes again after `ackWaitMs`, when later ones have come.
      await expect.poll(() => heard, until).toEqual([1]);
      await server.kill();
      await expect.poll(() => publisher.connected, until).toBe(false);
      const published = [publisher.publish(number, 2), publisher.publish(number, 3)];
      expect(publisher.figures.unacknowledged).toBe(2);
      await server.start();
      await Promise.all(published);
      // In the order of publishing, by when each was heard first: 1 may come a second time, if its acknowledgement was on its way.
      await expect.poll(() => [...new Set(heard)], until).toEqual([1, 2, 3]);
      expect(gaps).toEqual(["reconnected"]);
    });

    it("hears a message that a lost connection took with it when its wait is over", async () => {
      const publisher = start();
      const first = start({ ackWaitMs: 2_000 });
      await (await first.subscribe(number, "reader", async () => {})).stop();
      await publisher.publish(number, 1);
      // Taken and never answered, as by a connection that is lost the moment after.
      await byHand(async (_, connection) => {
        const consumer = await connection.jetstream().consumers.get("BERTH_test", "reader__berth_test");
        expect((await consumer.next())?.seq).toBe(1);
      });
      const { heard, gaps } = await hear({ ackWaitMs: 2_000 });
      await publisher.publish(number, 2);
      await expect.poll(() => [...heard].sort(), until).toEqual([1, 2]);
      expect(gaps).toEqual([]);
    });

    it("loses nothing that it acknowledged under load, over three kills with -9", async () => {
      const publisher = start();
      const { heard } = await hear({ ackWaitMs: 2_000 });
      const published: Promise<void>[] = [];
      const more = (): void => {
        for (let count = 0; count < 1_000; count++) published.push(publisher.publish(number, published.length));
      };
      for (let kills = 0; kills < 3; kills++) {
        more();
        await published.at(-900);
        await server.kill();
        more();
        await server.start();
        await expect.poll(() => publisher.connected, until).toBe(true);
      }
      await Promise.all(published);
      const all = published.map((_, value) => value);
      await expect.poll(() => new Set(heard).size, until).toBe(all.length);
      expect([...new Set(heard)].sort((one, other) => one - other)).toEqual(all);
      expect(publisher.figures.refused).toBe(0);
    });

    it("goes on with a new stream when the server comes back with an empty store, and reports the loss", async () => {
      const publisher = start();
      const { heard, gaps } = await hear();
      for (let value = 0; value < 5; value++) await publisher.publish(number, value);
      await expect.poll(() => heard.length, until).toBe(5);
      await server.kill();
      await server.start({ empty: true });
      await publisher.publish(number, 10);
      await expect.poll(() => heard.includes(10), until).toBe(true);
      // Later ones too: an acknowledgement for a message of the old stream must not end one of the new.
      for (let value = 11; value < 20; value++) await publisher.publish(number, value);
      await expect.poll(() => heard.slice(5), until).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
      expect(gaps).toContain("stream recreated");
    });

    it("notices a stream that was rolled back to an earlier state, and doesn't skip what is published next", async () => {
      const publisher = start();
      const { heard, gaps } = await hear();
      await publisher.publish(number, 1);
      await expect.poll(() => heard, until).toEqual([1]);
      await server.stop();
      cpSync(join(folder, "store"), join(folder, "backup"), { recursive: true });
      await server.start();
      for (let value = 2; value < 10; value++) await publisher.publish(number, value);
      await expect.poll(() => heard.length, until).toBe(9);
      await server.stop();
      rmSync(join(folder, "store"), { recursive: true });
      cpSync(join(folder, "backup"), join(folder, "store"), { recursive: true });
      await server.start();
      await expect.poll(() => gaps.includes("stream rolled back"), until).toBe(true);
      await publisher.publish(number, 100);
      await expect.poll(() => heard.includes(100), until).toBe(true);
    });

    it("makes a consumer that reads beyond the end of a restored stream anew", async () => {
      const publisher = start();
      const { heard } = await hear();
      for (let value = 0; value < 9; value++) await publisher.publish(number, value);
      await expect.poll(() => heard.length, until).toBe(9);
      for (const bus of open.splice(0)) await bus.close();
      // Only the messages are lost, such as by a restored disk: the consumer still says that it has read nine.
      await server.stop();
      rmSync(join(folder, "store/jetstream/$G/streams/BERTH_test/msgs"), { recursive: true });
      await server.start();
      const again = start();
      const reader = await hear();
      await again.publish(number, 50);
      await expect.poll(() => reader.heard, until).toEqual([50]);
    });

    it("makes a stream anew that somebody deleted while all were connected", async () => {
      const publisher = start();
      const { heard, gaps } = await hear();
      await publisher.publish(number, 1);
      await expect.poll(() => heard, until).toEqual([1]);
      await byHand((manager) => manager.streams.delete("BERTH_test"));
      await expect.poll(() => gaps.length, until).toBeGreaterThan(0);
      await publisher.publish(number, 2);
      await expect.poll(() => heard, until).toEqual([1, 2]);
      expect(gaps).toContain("stream recreated");
    });

    it("makes a consumer anew that somebody deleted, and goes on where it was", async () => {
      const publisher = start();
      const { heard, gaps } = await hear();
      await publisher.publish(number, 1);
      await expect.poll(() => heard, until).toEqual([1]);
      await byHand(async (manager) => {
        // Heard isn't yet acknowledged; "where it was" is after the last acknowledgement.
        const accepted = async () =>
          (await manager.consumers.info("BERTH_test", "reader__berth_test")).ack_floor.stream_seq;
        await expect.poll(accepted, until).toBe(1);
        await manager.consumers.delete("BERTH_test", "reader__berth_test");
      });
      await publisher.publish(number, 2);
      await publisher.publish(number, 3);
      await expect.poll(() => heard, until).toEqual([1, 2, 3]);
      expect(gaps).toEqual(["consumer lost"]);
    });

    it("starts without a server, and joins when there is one", async () => {
      await server.stop();
      const bus = start({ joinWithinMs: 50 });
      const gaps: GapReason[] = [];
      const heard: number[] = [];
      bus.onGap(({ reason }) => gaps.push(reason));
      await bus.subscribe(number, "reader", async (messages) => void heard.push(...messages));
      await server.start();
      await expect.poll(() => gaps, until).toEqual(["joined late"]);
      await bus.publish(number, 1);
      await expect.poll(() => heard, until).toEqual([1]);
    });

    it("gives up a message after its time when the server stays away", async () => {
      const bus = start({ publishWithinMs: 1_000 });
      await expect.poll(() => bus.connected, until).toBe(true);
      await server.kill();
      await expect(bus.publish(number, 1)).rejects.toThrow(/within 1000 ms; it may or may not arrive/);
      expect(bus.figures.refused).toBe(1);
    });

    it("closes while the server is away, and rejects what it couldn't send", async () => {
      const bus = start();
      await bus.subscribe(number, "reader", async () => {});
      await server.kill();
      await expect.poll(() => bus.connected, until).toBe(false);
      const lost = bus.publish(number, 1);
      const refusal = expect(lost).rejects.toThrow(/closed before it had this message/);
      await bus.close();
      await refusal;
    });
  },
);
