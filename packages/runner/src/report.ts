/** What a runner has done since it was created. */
export interface RunnerFigures {
  /** Runs that are alive. */
  readonly running: number;
  /** Leases that are held: received, running, or ended and not confirmed. */
  readonly held: number;
  /** Outcomes spooled, and the fsyncs it took. */
  readonly outcomes: number;
  readonly spoolGroups: number;
  /** Outcomes that the pool-manager confirmed, by verdict. */
  readonly applied: number;
  readonly repeated: number;
  readonly late: number;
  readonly stale: number;
}

/** How a runner is doing. */
export interface RunnerHealth {
  /** True if it takes work. */
  readonly ready: boolean;
  /** `ok` or what is wrong, by part: `poolManager`, `guard`, `disk`, `draining`. */
  readonly checks: Readonly<Record<string, string>>;
}
