/** A limit at one revision. */
export interface LimitUse {
  readonly limit: string;
  readonly used: number;
  readonly capacity: number;
  /** What `used` exceeds `capacity` by. */
  readonly overCommitted: number;
}

/** What the pool-manager said, all of it at one revision. */
export interface PoolStatus {
  readonly revision: number;
  /** Occupying leases. */
  readonly running: number;
  /** Occupying leases whose run has begun. */
  readonly started: number;
  readonly drift: number;
  readonly limits: readonly LimitUse[];
  readonly pools: readonly { readonly pool: string; readonly running: number }[];
}

/** What the scheduler said. */
export interface QueueStatus {
  readonly queueSize: number;
  /** Undefined before the first grant. */
  readonly averageWaitMs: number | undefined;
  readonly assignmentsTotal: number;
}

/** Both, asked at the same time; undefined where a service didn't answer. */
export interface Snapshot {
  readonly pool: PoolStatus | undefined;
  readonly queue: QueueStatus | undefined;
}

/** Share of a capacity that is used, 0 to 1. Capacity 0 gives 0 when idle and 1 otherwise. */
export function utilization(used: number, capacity: number): number {
  if (capacity <= 0) return used > 0 ? 1 : 0;
  return Math.min(1, Math.max(0, used / capacity));
}
