import { attemptKey, type Lease } from "./lease.js";
import { sumWeights } from "./limits.js";

/** An occupying lease, with what is only in memory. */
export interface Held {
  lease: Lease;
  /** Interval clock when its runner last showed it in an inventory, or when it was granted. */
  seenMs: number;
  /** Interval clock when it became EXPIRED. */
  expiredMs: number;
}

/** What is used of one limit. */
export interface Use {
  used: number;
  /** Occupying leases and their weights, oldest grant first. */
  readonly holders: Map<string, number>;
}

/**
 * The occupying leases, and every count as an index over them. A count is never changed by itself: `put` and `remove` are the only
 * places that touch one. (A test that wants to see the auditor at work adds to `use(name).used`; nothing else may.)
 */
export class Ledger {
  readonly leases = new Map<string, Held>();
  readonly byKey = new Map<string, Held>();
  readonly byTask = new Map<string, Held>();
  readonly bySlot = new Map<string, Held>();
  readonly byRunner = new Map<string, Map<string, Held>>();
  readonly runningByPool = new Map<string, number>();
  private readonly uses = new Map<string, Use>();
  private readonly expired = new Set<Held>();
  started = 0;

  /** Units used of a limit. */
  used(limit: string): number {
    return this.uses.get(limit)?.used ?? 0;
  }

  /** What is used of a limit, and by whom; undefined if nothing ever was. */
  use(limit: string): Use | undefined {
    return this.uses.get(limit);
  }

  /** Every count, as the index has it. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const [limit, use] of this.uses) if (use.used !== 0) counts.set(limit, use.used);
    return counts;
  }

  /** Every count, computed anew from the leases. */
  recount(): Map<string, number> {
    return sumWeights([...this.leases.values()].map(({ lease }) => lease));
  }

  /** Leases of a runner. */
  ofRunner(runner: string): Iterable<Held> {
    return this.byRunner.get(runner)?.values() ?? [];
  }

  /** Number of leases of a runner. */
  countOfRunner(runner: string): number {
    return this.byRunner.get(runner)?.size ?? 0;
  }

  /** Leases that wait for late results. */
  get expiredLeases(): Iterable<Held> {
    return this.expired;
  }

  /** Adds a granted lease. @throws Error if its task or its slot has one already. */
  put(lease: Lease, monoMs: number): Held {
    const key = attemptKey(lease.task, lease.attempt);
    if (this.byTask.has(lease.task)) throw new Error(`S4: ${lease.task} holds a lease already`);
    if (this.bySlot.has(lease.slot)) throw new Error(`S4: slot ${lease.slot} is held already`);
    const held: Held = { lease, seenMs: monoMs, expiredMs: monoMs };
    this.leases.set(lease.id, held);
    this.byKey.set(key, held);
    this.byTask.set(lease.task, held);
    this.bySlot.set(lease.slot, held);
    const ofRunner = this.byRunner.get(lease.runner);
    if (ofRunner) ofRunner.set(lease.id, held);
    else this.byRunner.set(lease.runner, new Map([[lease.id, held]]));
    this.runningByPool.set(lease.pool, (this.runningByPool.get(lease.pool) ?? 0) + 1);
    for (const [limit, weight] of lease.weights) {
      const use = this.uses.get(limit) ?? { used: 0, holders: new Map() };
      this.uses.set(limit, use);
      use.used += weight;
      use.holders.set(lease.id, weight);
    }
    if (lease.startMs !== undefined) this.started++;
    if (lease.state === "EXPIRED") this.expired.add(held);
    return held;
  }

  /** Replaces the record of an occupying lease; its weights, slot and runner never change. */
  replace(held: Held, lease: Lease): void {
    if (held.lease.startMs === undefined && lease.startMs !== undefined) this.started++;
    if (lease.state === "EXPIRED") this.expired.add(held);
    held.lease = lease;
  }

  /** Takes a released lease out. */
  remove(held: Held): void {
    const { lease } = held;
    this.leases.delete(lease.id);
    this.byKey.delete(attemptKey(lease.task, lease.attempt));
    this.byTask.delete(lease.task);
    this.bySlot.delete(lease.slot);
    const ofRunner = this.byRunner.get(lease.runner);
    ofRunner?.delete(lease.id);
    if (ofRunner?.size === 0) this.byRunner.delete(lease.runner);
    const inPool = (this.runningByPool.get(lease.pool) ?? 0) - 1;
    if (inPool > 0) this.runningByPool.set(lease.pool, inPool);
    else this.runningByPool.delete(lease.pool);
    for (const [limit, weight] of lease.weights) {
      const use = this.uses.get(limit) as Use;
      use.used -= weight;
      use.holders.delete(lease.id);
      if (use.used === 0 && use.holders.size === 0) this.uses.delete(limit);
    }
    if (lease.startMs !== undefined) this.started--;
    this.expired.delete(held);
  }
}
