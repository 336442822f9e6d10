import type { Limit } from "./limits.js";

/**
 * What a limit's capacity is and will be. The *lasting* capacity is that of the last lasting change. A *temporary* change lies over it until
 * its time: `capacity` is then the temporary one and `revertCapacity` the lasting one. So whatever happens in between, what is left when the
 * time is over is the lasting capacity: nothing has to remember "what it was", which may itself have been temporary.
 *
 * - Lasting (no `expireMs`): left by a temporary change.
 * - Temporary (`expireMs` and `revertCapacity`): another temporary change replaces it; a lasting change alters what holds afterwards; left when its time
 *   has come, or when a change ends it.
 */
export type Capacity = Pick<Limit, "capacity" | "expireMs" | "revertCapacity">;

/** A change of a capacity: temporary with `untilMs`, otherwise lasting. */
export interface CapacityChange {
  /** Absent: stays as it is. */
  readonly capacity?: number | undefined;
  /** Wall clock at which it is over. */
  readonly untilMs?: number | undefined;
  /** The lasting capacity, where a temporary change sets both. */
  readonly revertCapacity?: number | undefined;
  /** A temporary change that holds is over at once. */
  readonly endTemporary?: boolean | undefined;
}

/** Why a change makes no sense. */
export interface CapacityProblem {
  readonly field: string;
  readonly message: string;
}

/** The capacity that holds once nothing temporary does. */
export function lastingCapacity(limit: Capacity): number {
  return limit.expireMs === undefined ? limit.capacity : (limit.revertCapacity ?? limit.capacity);
}

/** The capacity after a change; without `old`, that of a limit which is created by it. */
export function changedCapacity(
  old: Capacity | undefined,
  change: CapacityChange,
  nowWallMs: number,
): Capacity | { readonly problem: CapacityProblem } {
  return change.untilMs === undefined
    ? lastingChange(old, change)
    : temporaryChange(old, change, change.untilMs, nowWallMs);
}

function temporaryChange(
  old: Capacity | undefined,
  { capacity, revertCapacity, endTemporary }: CapacityChange,
  untilMs: number,
  nowWallMs: number,
): Capacity | { readonly problem: CapacityProblem } {
  if (endTemporary) return problem("end_temporary", "contradicts the time of a temporary change: give one of them");
  if (!(untilMs > nowWallMs)) return problem("limit.expire_time", "has passed: give a time to come, or duration");
  if (capacity === undefined && revertCapacity === undefined && old?.expireMs === undefined)
    return problem("limit.capacity", "is missing: nothing temporary holds whose time could be changed");
  const now = capacity ?? old?.capacity;
  const lasting = revertCapacity ?? (old && lastingCapacity(old));
  if (now === undefined || lasting === undefined)
    return problem(
      "limit.revert_capacity",
      "is missing: the limit isn't there yet, so say which capacity holds after the temporary one, or make it with a lasting capacity first",
    );
  return { capacity: now, expireMs: untilMs, revertCapacity: lasting };
}

function lastingChange(
  old: Capacity | undefined,
  { capacity, revertCapacity, endTemporary = false }: CapacityChange,
): Capacity | { readonly problem: CapacityProblem } {
  const holds = old?.expireMs !== undefined && !endTemporary;
  if (revertCapacity !== undefined && (capacity !== undefined || !holds))
    return problem(
      "limit.revert_capacity",
      "is the capacity after a temporary change: give the time of one too, or leave it out",
    );
  const lasting = capacity ?? revertCapacity ?? (old ? lastingCapacity(old) : 0);
  return holds ? withLasting(old, lasting) : { capacity: lasting };
}

/** The capacity after a lasting change: under a temporary one it is what will hold afterwards. */
export function withLasting({ capacity, expireMs }: Capacity, lasting: number): Capacity {
  return expireMs === undefined ? { capacity: lasting } : { capacity, expireMs, revertCapacity: lasting };
}

/** The capacity once the time of the temporary change has come; undefined before, and where nothing temporary holds. */
export function capacityWhenOver(limit: Capacity, nowWallMs: number): Capacity | undefined {
  const over = limit.expireMs !== undefined && !(nowWallMs < limit.expireMs);
  return over ? { capacity: lastingCapacity(limit) } : undefined;
}

function problem(field: string, message: string): { readonly problem: CapacityProblem } {
  return { problem: { field, message } };
}
