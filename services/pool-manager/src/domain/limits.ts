import { limitBounds } from "./bounds.js";
import type { Weight } from "./lease.js";

/** Something that can run out. All arithmetic on capacity is in this file: whole numbers, compared in the positive form, so that NaN never admits. */
export interface Limit {
  readonly name: string;
  readonly capacity: number;
  /** Part of the capacity that only bids of `reservePriority` and more may use. */
  readonly reserve: number;
  readonly reservePriority: number;
  /** Most starts within `ratePeriodMs`; 0 for no such bound. */
  readonly rate: number;
  readonly ratePeriodMs: number;
  /** Wall clock at which the capacity, a temporary one then, becomes `revertCapacity`, the lasting one: see `temporary.ts`. */
  readonly expireMs?: number;
  readonly revertCapacity?: number;
  readonly reason: string;
  /** Task set whose own it is; undefined of all others. */
  readonly ownerSet?: string;
  /** Version of the catalogue that made it as it is: its etag. */
  readonly version: number;
  /** Request id that created it; empty if none. */
  readonly requestId: string;
  /** Digest of that request. */
  readonly requestDigest?: string | undefined;
}

/** A limit with nothing but a capacity. */
export function plainLimit(name: string, capacity: number): Limit {
  return {
    name,
    capacity,
    reserve: 0,
    reservePriority: 0,
    rate: 0,
    ratePeriodMs: 1_000,
    reason: "",
    version: 0,
    requestId: "",
  };
}

/** Says whether `wanted` more units fit. */
export function fits(limit: { readonly capacity: number }, used: number, wanted: number): boolean {
  return used + wanted <= limit.capacity;
}

/** Says whether a bid of this priority may take the units without touching what is reserved for others. */
export function sparesReserve(limit: Limit, used: number, wanted: number, priority: number): boolean {
  return limit.reserve === 0 || priority >= limit.reservePriority || used + wanted <= limit.capacity - limit.reserve;
}

/** Says whether the weight is within the whole capacity, so that it could ever fit. */
export function canEverFit(limit: { readonly capacity: number }, wanted: number): boolean {
  return wanted <= limit.capacity;
}

/** What is used beyond the capacity, after it was lowered. */
export function overCommitted(capacity: number, used: number): number {
  return Math.max(0, used - capacity);
}

/** Sums weights by limit. */
export function sumWeights(leases: Iterable<{ readonly weights: readonly Weight[] }>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { weights } of leases)
    for (const [limit, weight] of weights) sums.set(limit, (sums.get(limit) ?? 0) + weight);
  return sums;
}

/** Sum of the absolute differences between two counts, over every limit that either knows. */
export function difference(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const [limit, used] of left) sum += Math.abs(used - (right.get(limit) ?? 0));
  for (const [limit, used] of right) if (!left.has(limit)) sum += Math.abs(used);
  return sum;
}

/** The moments of the latest starts under limits with a rate: at most `rate` of them each. Wall clock, since they outlive a restart. */
export class Starts {
  private readonly byLimit = new Map<string, number[]>();

  /** Notes a start. */
  add(limit: Limit, wallMs: number): void {
    if (limit.rate === 0) return;
    const moments = this.byLimit.get(limit.name) ?? [];
    this.byLimit.set(limit.name, moments);
    moments.push(wallMs);
    if (moments.length > limitBounds.rateMax) moments.shift();
  }

  /** When the next start is allowed; not later than now if it is. */
  nextMs(limit: Limit, nowMs: number): number {
    if (limit.rate === 0) return nowMs;
    const moment = this.byLimit.get(limit.name)?.at(-limit.rate);
    // A moment in the future is that of a wall clock set back since: nobody can say how long ago it was, so it holds nothing up.
    return moment === undefined || moment > nowMs ? nowMs : moment + limit.ratePeriodMs;
  }

  /** Forgets a limit that is gone. */
  delete(limit: string): void {
    this.byLimit.delete(limit);
  }
}
