import type { Bid } from "../bid.js";
import type { Change, RunnerRecord } from "../changes.js";
import type { Bench } from "../fixtures.js";
import { attemptKey, type Lease } from "../lease.js";
import type { Limit } from "../limits.js";
import type { Pool } from "../pool.js";

/**
 * Granting against brute force. The model is told what was committed and which bids stand. Everything else it works out anew each time, from
 * the leases alone and by the words of the README: what refuses a bid, which bids are granted next, in which order, where. It shares
 * no index, class, or arithmetic with the core.
 */
export interface Waiting {
  readonly bid: Bid;
  readonly arrival: number;
  overtaken: number;
}

/** What stands in the way in one pool: limits that are full, and whether waiting for them can help at all. */
interface Blocks {
  readonly full: readonly string[];
  readonly others: readonly ("hopeless" | "runners" | "slots")[];
}

interface Place {
  readonly pool: string;
  readonly runner: string;
  readonly slot: string;
}

const smallestFirst = (left: string, right: string): number => (left < right ? -1 : 1);

export class Model {
  readonly waiting = new Map<string, Waiting>();
  /** What will bid again, with what it has suffered. */
  readonly returning: Waiting[] = [];
  /** What had waited for a lease, by its attempt. */
  readonly granted = new Map<string, Waiting>();
  readonly leases = new Map<string, Lease>();
  readonly over = new Set<string>();
  readonly forbidden = new Set<string>();
  readonly limits = new Map<string, Limit>();
  readonly pools = new Map<string, Pool>();
  readonly runners = new Map<string, RunnerRecord>();
  readonly starts: { readonly limit: string; readonly wallMs: number }[] = [];
  private arrivals = 0;
  private readonly bench: Bench;

  constructor(bench: Bench) {
    this.bench = bench;
    for (const change of bench.changes) this.take(change);
  }

  /** What placing a bid must lead to, before anything is granted. `overtaken` is what its task has suffered before in its place. */
  place(one: Bid, overtaken = 0): "held" | "LOST" | "INVALID" | "STANDING" {
    const key = attemptKey(one.task, one.attempt);
    const held = [...this.leases.values()].find(({ task }) => task === one.task);
    if (held?.attempt === one.attempt) return "held";
    if (this.forbidden.has(key) || this.over.has(key)) return "LOST";
    const standing = [...this.waiting.values()].find(({ bid: { task } }) => task === one.task);
    if (held || (standing && standing.bid.attempt !== one.attempt)) return "INVALID";
    const same = standing && JSON.stringify({ ...standing.bid, rank: 0 }) === JSON.stringify({ ...one, rank: 0 });
    this.waiting.set(key, {
      bid: one,
      arrival: same ? standing.arrival : this.arrivals++,
      overtaken: same ? standing.overtaken : overtaken,
    });
    return "STANDING";
  }

  take(change: Change): void {
    if (change.k === "limit") put(this.limits, change.name, change.limit);
    else if (change.k === "pool") put(this.pools, change.name, change.pool);
    else if (change.k === "runner") put(this.runners, change.runner, change.record);
    else if (change.k === "tombstone") {
      this.forbidden.add(change.key);
      this.waiting.delete(change.key);
    } else if (change.k === "lease" && change.e !== "LATE_RESULT") {
      if (change.e === "RELEASED") {
        this.leases.delete(change.l.id);
        this.over.add(attemptKey(change.l.task, change.l.attempt));
      } else this.leases.set(change.l.id, change.l);
    }
  }

  used(limit: string): number {
    let sum = 0;
    for (const { weights } of this.leases.values())
      for (const [name, weight] of weights) if (name === limit) sum += weight;
    return sum;
  }

  /** Standing bids, the next to be looked at first. */
  get inOrder(): Waiting[] {
    return [...this.waiting.values()].sort((a, b) => a.bid.rank - b.bid.rank || a.arrival - b.arrival);
  }

  weights(one: Bid, name: string): Map<string, number> {
    const weights = new Map<string, number>();
    const add = (limit: string, weight: number): void => void weights.set(limit, (weights.get(limit) ?? 0) + weight);
    add("global", 1);
    if (one.tenant !== "") add(`tenant:${one.tenant}`, 1);
    for (const [limit, weight] of one.weights) add(limit, weight);
    add(`pool:${name}`, 1);
    if (one.cpuMillis > 0) add(`pool:${name}:cpu`, one.cpuMillis);
    if (one.memoryBytes > 0) add(`pool:${name}:memory`, one.memoryBytes);
    return weights;
  }

  /** What stands in the way of a bid in one pool; a place if nothing does. */
  look(one: Bid, name: string): Place | Blocks {
    const full: string[] = [];
    const others: Blocks["others"][number][] = [];
    const nowMs = 1_000_000 + this.bench.nowMs;
    for (const [limitName, weight] of this.weights(one, name)) {
      const limit = this.limits.get(limitName);
      if (!limit) {
        if (!/^tenant:|:cpu$|:memory$/.test(limitName)) others.push("hopeless");
        continue;
      }
      const after = this.used(limitName) + weight;
      const recent = this.starts.filter(
        (start) => start.limit === limitName && start.wallMs > nowMs - limit.ratePeriodMs,
      );
      if (weight > limit.capacity) others.push("hopeless");
      else if (after > limit.capacity) full.push(limitName);
      else if (one.priority < limit.reservePriority && after > limit.capacity - limit.reserve) others.push("hopeless");
      else if (limit.rate > 0 && recent.length >= limit.rate) others.push("hopeless");
    }
    if (this.pools.get(name)?.paused) others.push("hopeless");
    const fitting = [...this.runners.values()].filter(
      (record) =>
        !record.lost &&
        !record.draining &&
        this.bench.nowMs < (this.bench.state.sessions.get(record.runner)?.deadlineMs ?? 0) &&
        record.pools.includes(name) &&
        (one.runner === "" || one.runner === record.runner) &&
        Object.entries(one.labels).every(([key, value]) => record.labels[key] === value) &&
        (one.handler === "" || record.handlers?.includes(one.handler) === true),
    );
    const load = ({ runner, capacity }: RunnerRecord): number =>
      [...this.leases.values()].filter((lease) => lease.runner === runner).length / capacity;
    const free = fitting.filter((record) => load(record) + 1 / record.capacity <= 1 + 1e-9);
    const [best] = free.sort((a, b) => load(a) - load(b) || smallestFirst(a.runner, b.runner));
    if (!best) others.push(fitting.length === 0 ? "hopeless" : "runners");
    const slot = best && this.slot(name, best);
    if (best && slot === undefined) others.push("slots");
    if (full.length > 0 || others.length > 0 || !best || slot === undefined) return { full, others };
    return { pool: name, runner: best.runner, slot };
  }

  private slot(name: string, { runner, capacity }: RunnerRecord): string | undefined {
    const named = this.pools.get(name)?.slots ?? [];
    const slots = named.length > 0 ? named : Array.from({ length: capacity }, (_, i) => `${runner}/${i + 1}`);
    const held = new Set([...this.leases.values()].map((lease) => lease.slot));
    return slots.find((slot) => !held.has(slot));
  }

  /** Where a bid would go now: the first of its pools in which nothing stands in the way. */
  placeOf(one: Bid): Place | undefined {
    for (const name of one.pools) {
      const found = this.look(one, name);
      if ("slot" in found) return found;
    }
    return undefined;
  }

  /** The next grant by brute force. */
  get next(): (Place & { task: string }) | undefined {
    for (const { bid: one } of this.inOrder) {
      const place = this.placeOf(one);
      if (place) return { task: one.task, ...place };
    }
    return undefined;
  }

  /** L3: counts a grant against everybody before it to whom, in one of its pools, nothing is missing but what the grant takes of. */
  overtake(granted: Waiting, lease: Lease): void {
    const taken = new Set(lease.weights.map(([limit]) => limit));
    for (const waiting of this.inOrder) {
      if (waiting === granted) return;
      const overtaken = waiting.bid.pools.some((name) => {
        const found = this.look(waiting.bid, name);
        return (
          "full" in found && found.others.length === 0 && found.full.length === 1 && taken.has(found.full[0] ?? "")
        );
      });
      if (overtaken) waiting.overtaken++;
    }
  }

  /** Takes a grant, after whatever has to be said of it. */
  grant(lease: Lease): void {
    const key = attemptKey(lease.task, lease.attempt);
    const wallMs = 1_000_000 + this.bench.nowMs;
    const waiting = this.waiting.get(key);
    if (waiting) this.granted.set(key, waiting);
    this.waiting.delete(key);
    this.leases.set(lease.id, lease);
    for (const [limit] of lease.weights)
      if ((this.limits.get(limit)?.rate ?? 0) > 0) this.starts.push({ limit, wallMs });
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
