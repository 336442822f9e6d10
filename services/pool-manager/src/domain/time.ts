/** The times that decide when a runner's runs must be dead. Milliseconds. */
export interface TimeRule {
  /** Silence after which the server counts a runner as lost. */
  readonly heartbeatTimeoutMs: number;
  /** Time that a runner needs to kill a run. */
  readonly killTimeMs: number;
  /** Lateness of its timers. */
  readonly timerLatenessMs: number;
}

/** Rate error of an interval clock that is allowed for: 1 %. */
const rateError = 0.01;

/**
 * How long a runner may keep its runs after it sent a renewal that was answered: TTL_server / (1 + r) >= (TTL_runner + k) / (1 - r) + m,
 * solved for TTL_runner. Not more than 0 means that the settings leave a runner no time at all.
 */
export function runnerTtlMs({ heartbeatTimeoutMs, killTimeMs, timerLatenessMs }: TimeRule): number {
  return Math.floor((heartbeatTimeoutMs / (1 + rateError) - timerLatenessMs) * (1 - rateError) - killTimeMs);
}

/** How often a runner should renew. */
export function renewIntervalMs(ttlMs: number): number {
  return Math.max(100, Math.floor(ttlMs / 6));
}
