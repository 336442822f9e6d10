import { ManualClock } from "@berth/chassis/clock";
import { silentLogger } from "@berth/chassis/log";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bid, pool, settings, succeeded } from "../domain/fixtures.js";
import type { Lease } from "../domain/lease.js";
import { plainLimit } from "../domain/limits.js";
import { MemoryDisk, MemoryStore } from "../store/memory.js";
import { PoolEngine } from "./service.js";

let engine: PoolEngine;
const disk = { of: new MemoryDisk() };

/** A store of which a test may hold up the answers of what is read by id. */
class SlowReads extends MemoryStore {
  gate: Promise<void> = Promise.resolve();
  override async finishedByIds(ids: readonly string[]): Promise<Lease[]> {
    const found = await super.finishedByIds(ids);
    await this.gate;
    return found;
  }
}

async function begin(remembered: number): Promise<SlowReads> {
  const store = new SlowReads(disk.of);
  engine = new PoolEngine({
    store,
    settings: { ...settings, remembered },
    clock: new ManualClock(),
    logger: silentLogger,
    dataId: "d",
    leaseKey: "00",
    pools: [pool("a", 10)],
    limits: [plainLimit("global", 10)],
    auditMs: 3_600_000,
    retentionMs: 3_600_000,
    onFailed: (error) => {
      throw error;
    },
  });
  await engine.start();
  return store;
}

beforeEach(() => {
  disk.of = new MemoryDisk();
});
afterEach(() => engine.stop());

const attach = () =>
  engine.run("attach", {
    runner: "r",
    incarnation: "r-1",
    pools: ["a"],
    capacity: 4,
    labels: {},
    handlers: [],
    startNumber: 1,
    earlierProcessesDead: true,
    inventory: [],
    known: { leases: [], mark: 0 },
  });

async function granted(...tasks: string[]): Promise<Lease[]> {
  const results = await engine.bid(
    "s",
    tasks.map((task) => bid(task)),
  );
  return results.map((result) => (result as { lease: Lease }).lease);
}

const completion = ({ id, token }: Pick<Lease, "id" | "token">, endMs = 5) => ({
  lease: id,
  token,
  outcome: { ...succeeded, endMs },
});

describe("outcomes of leases that the memory has forgotten", () => {
  it("are called stale if the store doesn't know them either, however much has been forgotten since the start", async () => {
    await begin(1);
    await attach();
    const leases = await granted("1", "2", "3");
    await engine.complete(
      "r",
      "r-1",
      leases.map((lease) => completion(lease)),
    );
    expect(engine.core.state.recent.forgottenThrough).toBeGreaterThan(0);
    expect(await engine.complete("r", "r-1", [completion({ id: "other-9", token: 9 })])).toEqual(["STALE"]);
  });

  it("are repeats if the store has them, and late if they differ", async () => {
    await begin(1);
    await attach();
    const leases = await granted("1", "2", "3");
    const first = leases[0] as Lease;
    await engine.complete(
      "r",
      "r-1",
      leases.map((lease) => completion(lease)),
    );
    expect(await engine.complete("r", "r-1", [completion(first)])).toEqual(["REPEATED"]);
    expect(await engine.complete("r", "r-1", [completion(first, 6)])).toEqual(["LATE"]);
  });

  it("aren't lost when the memory forgets them, or takes a late result, between the look and the decision", async () => {
    const store = await begin(1);
    await attach();
    const [old, one, two, three] = (await granted("0", "1", "2", "3")) as [Lease, Lease, Lease, Lease];
    await engine.complete("r", "r-1", [completion(old), completion(one)]);
    let open = () => {};
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    // Both look now: `one` is in the memory, `old` is read from the store. Then both leave the memory, `old` with a late result more.
    const looked = engine.complete("r", "r-1", [completion(one), completion(old, 7)]);
    await engine.run("complete", {
      runner: "r",
      items: [completion(old, 7)],
      known: {
        leases: await new MemoryStore(disk.of).finishedByIds([old.id]),
        mark: engine.core.state.recent.sequence,
      },
    });
    for (const lease of [two, three])
      await engine.run("complete", { runner: "r", items: [completion(lease)], known: { leases: [], mark: 0 } });
    open();
    expect(await looked).toEqual(["REPEATED", "REPEATED"]);
  });
});
