/** Where a lease stands. All but RELEASED occupy. */
export type LeaseState = "ACTIVE" | "REVOKING" | "EXPIRED" | "RELEASED";
/** Why a lease was released. */
export const releaseReasons = ["COMPLETED", "NOT_STARTED", "EXPIRED", "RUNNER_LOST", "REVOKED"] as const;

/** One of them. */
export type ReleaseReason = (typeof releaseReasons)[number];
/** How a run ended, as its runner states it. */
export type RunResult = "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "STOPPED" | "NOT_STARTED";

/** A share of one limit: its name and a weight of 1 and more. */
export type Weight = readonly [limit: string, weight: number];

/** The end of one run. */
export interface Outcome {
  readonly result: RunResult;
  readonly exitCode?: number;
  readonly signal: string;
  readonly message: string;
  /** JSON text that the handler returned; empty for none. */
  readonly resultJson: string;
  /** Runner's wall clock, milliseconds since 1970. */
  readonly startMs?: number;
  readonly endMs?: number;
  readonly permanent: boolean;
  readonly outputBytes: number;
}

/**
 * The right of one attempt to run. A record never changes: each step replaces it, so that a change in the journal keeps what was true
 * when it was made.
 *
 * ACTIVE from its grant. REVOKING when somebody asked it to stop; it occupies until the run is known to be dead. EXPIRED when its runner
 * was silent for the whole TTL; it occupies for a short wait for late results. RELEASED once, with one reason; never left.
 */
export interface Lease {
  readonly id: string;
  readonly task: string;
  readonly attempt: number;
  /** Grows with every grant: the number of the grant. */
  readonly token: number;
  readonly state: LeaseState;
  readonly pool: string;
  readonly runner: string;
  readonly incarnation: string;
  readonly slot: string;
  readonly tenant: string;
  readonly weights: readonly Weight[];
  readonly grantMs: number;
  readonly startMs?: number;
  readonly releaseMs?: number;
  readonly reason?: ReleaseReason;
  readonly outcome?: Outcome;
  readonly lateOutcome?: Outcome;
  readonly revokeReason: string;
  readonly traceParent: string;
  /** How often its bid had been overtaken at its grant; absent for never, as in most leases. */
  readonly overtaken?: number;
  /** Number of the release, growing; 0 before it. */
  readonly ordinal: number;
}

/** Key of one attempt. The number goes first, so that no task name can imitate another key. */
export function attemptKey(task: string, attempt: number): string {
  return `${attempt} ${task}`;
}

/** The attempt that a key names. */
export function attemptOfKey(key: string): { task: string; attempt: number } {
  const blank = key.indexOf(" ");
  return { task: key.slice(blank + 1), attempt: Number(key.slice(0, blank)) };
}

/** What tells one end of a run from another: repeats have the same. */
export function outcomeMark(outcome: Outcome | undefined): string {
  return outcome ? `${outcome.result} ${outcome.endMs ?? ""} ${outcome.exitCode ?? ""}` : "";
}
