/** Bounds of a limit's fields: the same at every door, so other parts that take limits (configuration, files) take them from here. */
export const limitBounds = {
  /** Largest capacity, reserve and weight. */
  unitsMax: Number.MAX_SAFE_INTEGER,
  /** Largest capacity of a pool's own limit: its max_concurrency. */
  poolConcurrencyMax: 1_000_000,
  /** Most starts within a rate's period: so many moments are remembered. */
  rateMax: 10_000,
  ratePeriodMinMs: 1_000,
  ratePeriodMaxMs: 86_400_000,
  /** Tasks' priorities, and so the least that may use a reserve, go from minus this to this. */
  priorityMax: 1_000,
  /** Longest time that a temporary change may be asked for. */
  temporaryMaxMs: 3_650 * 86_400_000,
} as const;
