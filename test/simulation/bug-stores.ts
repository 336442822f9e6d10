// Stores with a mistake planted, for the bugs.
import { type Committed, SimulatedStore } from "./disk.js";

/** A commit that doesn't look at the leader row: a former leader can commit. */
export class UncheckedStore extends SimulatedStore {
  protected override async apply(group: Committed): Promise<void> {
    const { held } = this.disk;
    const { epoch } = held;
    held.epoch = group.epoch;
    held.n = group.n - 1;
    await super.apply(group);
    held.epoch = Math.max(epoch, group.epoch);
  }
}

/** A restart that doesn't find one of the live leases. */
export class ForgetfulStore extends SimulatedStore {
  override async lead(holder: string): ReturnType<SimulatedStore["lead"]> {
    const loaded = await super.lead(holder);
    const forgotten = (await this.occupying()).leases.find(({ state }) => state === "ACTIVE")?.id;
    if (forgotten === undefined) return loaded;
    const groups = loaded.groups.map(({ n, changes }) => ({
      n,
      changes: changes.filter((change) => change.k !== "lease" || change.l.id !== forgotten),
    }));
    return { ...loaded, rows: loaded.rows.filter((row) => row.t !== "lease" || row.lease.id !== forgotten), groups };
  }
}

/** Attempts that the memory has forgotten aren't looked up. */
export class ForgetfulLookups extends SimulatedStore {
  override async finishedByKeys(): ReturnType<SimulatedStore["finishedByKeys"]> {
    return [];
  }
}

/** Nobody can lead after the first. */
export class FirstLeaderOnly extends SimulatedStore {
  override lead(holder: string): ReturnType<SimulatedStore["lead"]> {
    if (this.disk.held.epoch > 0) return Promise.reject(new Error("somebody leads"));
    return super.lead(holder);
  }
}
