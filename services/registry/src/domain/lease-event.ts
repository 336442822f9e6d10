import type { ReleaseReason, RunOutcome } from "./task.js";

/** A change in the life of a lease, as far as the registry draws conclusions from it. */
export interface LeaseEvent {
  readonly position: number;
  readonly kind: "granted" | "started" | "revoking" | "expired" | "released" | "late_result";
  readonly key: string;
  readonly attempt: number;
  readonly lease: string;
  readonly token: number;
  readonly runner: string;
  readonly pool: string;
  readonly slot: string;
  readonly timeMs: number;
  readonly grantMs: number;
  /** 0 where the run isn't known to have begun. */
  readonly startMs: number;
  /** How often the bid had been overtaken at its grant; absent where that isn't known. */
  readonly overtaken?: number;
  /** Empty unless released. */
  readonly reason: ReleaseReason | "";
  readonly outcome: RunOutcome | null;
  readonly lateOutcome: RunOutcome | null;
  readonly revokeReason: string;
  /** W3C traceparent of what last moved the lease; empty or absent without tracing. */
  readonly traceParent?: string;
}
