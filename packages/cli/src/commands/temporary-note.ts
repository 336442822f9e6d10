import type { pool } from "@berth/contracts";

/** Until when a capacity is a temporary one, and what holds then; empty for a lasting one. */
export function temporaryNote({
  expireTime,
  revertCapacity,
}: Pick<pool.Limit, "expireTime" | "revertCapacity">): string {
  return expireTime === undefined ? "" : `until ${expireTime.toISOString()}, then ${revertCapacity ?? 0n}`;
}
