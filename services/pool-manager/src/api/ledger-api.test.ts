import { ManualClock } from "@berth/chassis/clock";
import { silentLogger } from "@berth/chassis/log";
import { pool as wire } from "@berth/contracts";
import { afterEach, describe, expect, it } from "vitest";
import { bid, pool, settings, succeeded } from "../domain/fixtures.js";
import type { Lease } from "../domain/lease.js";
import { plainLimit } from "../domain/limits.js";
import { PoolEngine } from "../engine/service.js";
import { MemoryDisk, MemoryStore } from "../store/memory.js";
import { LedgerApi } from "./ledger-api.js";

let engine: PoolEngine;
afterEach(() => engine.stop());

/** A store during each read of which so much ends that the memory forgets what ended before. */
class BusyReads extends MemoryStore {
  during: () => Promise<void> = async () => undefined;
  override async finishedByKeys(keys: readonly string[]): Promise<Lease[]> {
    const found = await super.finishedByKeys(keys);
    await this.during();
    return found;
  }
}

describe("forbidding attempts", () => {
  it("says to call again, never what it doesn't know, while the memory forgets faster than the store is read", async () => {
    const store = new BusyReads(new MemoryDisk());
    engine = new PoolEngine({
      store,
      settings: { ...settings, remembered: 1 },
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
    const known = { leases: [], mark: Number.MAX_SAFE_INTEGER };
    await engine.run("attach", {
      runner: "r",
      incarnation: "r-1",
      pools: ["a"],
      capacity: 4,
      labels: {},
      handlers: [],
      startNumber: 1,
      earlierProcessesDead: true,
      inventory: [],
      known,
    });
    let next = 0;
    store.during = async () => {
      for (let ends = 0; ends < 2; ends++) {
        const answers = await engine.run("placeBids", { bids: [bid(`t${next++}`)], known });
        const { id, token } = (answers[0] as unknown as { lease: Lease }).lease;
        await engine.run("complete", { runner: "r", items: [{ lease: id, token, outcome: succeeded }], known });
      }
    };
    const request = wire.ForbidAttemptsRequest.fromPartial({ attempts: [{ task: "s/x", attempt: 1 }] });
    const api = new LedgerApi(engine);
    await expect(api.forbidAttempts(request)).rejects.toMatchObject({ reason: "STORE_STALLED" });
    store.during = async () => undefined;
    expect((await api.forbidAttempts(request)).results).toMatchObject([{ found: wire.ForbidResult_Found.NO_LEASE }]);
  });
});
