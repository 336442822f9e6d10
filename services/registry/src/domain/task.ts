/**
 * A task as the registry keeps it. All of it is plain data: whole numbers, strings, arrays; times are wall-clock milliseconds since 1970,
 * and 0 means "not yet" or "none". See the README for the states.
 */
import type { NeedConditions } from "./needs.js";

/** Where a task stands; the README says how each state is entered and left. */
export type TaskState = "PENDING" | "READY" | "ASSIGNED" | "RUNNING" | "BACKING_OFF" | "CANCELLING" | FinalState;
/** States that only RetryTasks leads out of (SUCCEEDED: nothing). */
export type FinalState = "SUCCEEDED" | "FAILED" | "CANCELLED" | "SKIPPED";

/** All states, in the order of a task's life. */
export const taskStates: readonly TaskState[] = [
  "PENDING",
  "READY",
  "ASSIGNED",
  "RUNNING",
  "BACKING_OFF",
  "CANCELLING",
  "SUCCEEDED",
  "FAILED",
  "CANCELLED",
  "SKIPPED",
];

/** What people call the states that the API calls otherwise; docs/glossary.md explains them. */
const words: Partial<Record<TaskState, string>> = {
  PENDING: "blocked",
  READY: "queued",
  ASSIGNED: "starting",
  BACKING_OFF: "retrying",
};

/** A state in the word that people see everywhere: `queued`. */
export function stateWord(state: TaskState): string {
  return words[state] ?? state.toLowerCase();
}

/** True for a state that is an end. */
export function isFinal(state: TaskState): state is FinalState {
  return state === "SUCCEEDED" || state === "FAILED" || state === "CANCELLED" || state === "SKIPPED";
}

/** When and how often to try again. */
export interface Retry {
  /** Attempts that may fail: 1 to 100. */
  readonly maxAttempts: number;
  /** Wait after the first failure. */
  readonly backoffMs: number;
  /** Factor for each further one: 1 to 10. */
  readonly multiplier: number;
  /** Longest wait. */
  readonly maxBackoffMs: number;
}

/** What of a task never changes, without what it runs. */
export interface TaskHeader {
  /** `{set}/{id}`. */
  readonly key: string;
  readonly set: string;
  readonly id: string;
  /** Revision of its creation: the order of tasks. */
  readonly order: number;
  readonly createMs: number;
  /** Ids of the same set. */
  readonly needs: readonly string[];
  /** When each need is met. */
  readonly needConditions: NeedConditions;
  /** Pool and skill as asked for. */
  readonly pool: string;
  readonly skill: string;
  /** Acceptable pools, resolved at submission. */
  readonly pools: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, number>>;
  readonly tenant: string;
  readonly priority: number;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly retry: Retry;
  /** Longest wait from ready to start; 0 for no bound. */
  readonly startTimeoutMs: number;
  /** Bytes of output to keep; 0 for the default. */
  readonly logLimitBytes: number;
  /** W3C traceparent that its spans and its runs go on with: the root of its own trace, or what the client gave. Empty for none. */
  readonly traceParent: string;
  /** Traceparent of the submission's span, where the task has a trace of its own: the two are linked. */
  readonly submission?: string;
  /** Handler that it is for; none for a command, and in rows of older versions. */
  readonly handler?: string;
}

/** Why an attempt is being forbidden at the pool-manager, and how far that is. */
export interface Forbid {
  readonly why: "cancel" | "startTimeout" | "late";
  /** Attempt whose late result is taken afterwards; 0 unless `late`. */
  readonly lateAttempt: number;
  /** The answer so far: none, a lease that is asked to stop, or a release whose event has yet to come. */
  readonly answer: "none" | "revoking" | "released";
  /** One line for people. */
  readonly text: string;
}

/** What of a task changes. A new object with every change. */
export interface TaskStatus {
  readonly state: TaskState;
  readonly attempt: number;
  readonly failureCount: number;
  /** Attempts lost with their runner since the budget was last fresh. */
  readonly lossCount: number;
  /** Attempts since the last failure that ended without a result and without spending anything, lost ones aside. */
  readonly idleCount: number;
  readonly reason: string;
  readonly readyMs: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Number of its last change, over all tasks. */
  readonly revision: number;
  /**
   * Its place in the order of ready tasks: number of the change that made it ready. Kept by the attempts that follow one which spent no retry;
   * 0 if it gets a new one when it becomes ready.
   */
  readonly sequence: number;
  /** How often it has been overtaken in that place, as the pool-manager counted at its last lease. */
  readonly overtaken: number;
  readonly progress: number;
  readonly progressMessage: string;
  readonly runner: string;
  readonly pool: string;
  /** Number of its last history entry. */
  readonly eventCount: number;
  readonly forbid: Forbid | null;
}

/** How a run ended, in the words of its runner. */
export interface RunOutcome {
  readonly result: "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "STOPPED" | "NOT_STARTED";
  readonly exitCode: number | null;
  readonly signal: string;
  readonly message: string;
  /** JSON text; empty for none. */
  readonly resultJson: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly permanent: boolean;
  readonly outputBytes: number;
}

/** Why a lease ended. */
export type ReleaseReason = "completed" | "not_started" | "expired" | "runner_lost" | "revoked";

/** One attempt. */
export interface Attempt {
  readonly attempt: number;
  readonly lease: string;
  /** Fencing token of the lease; 0 before. */
  readonly token: number;
  readonly runner: string;
  readonly pool: string;
  readonly slot: string;
  readonly readyMs: number;
  readonly grantMs: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: RunOutcome | null;
  readonly releaseReason: ReleaseReason | "" | "no_lease";
  readonly lateOutcome: RunOutcome | null;
  readonly lateAccepted: boolean;
}

/** One entry of a task's history. */
export interface TaskEvent {
  /** From 1, without gaps. */
  readonly number: number;
  readonly kind: EventKind;
  readonly timeMs: number;
  readonly attempt: number;
  readonly runner: string;
  readonly slot: string;
  /** Length of the run; -1 for none. */
  readonly durationMs: number;
  readonly message: string;
}

/** What can happen to a task. */
export type EventKind =
  | "TaskCreated"
  | "TaskReady"
  | "TaskAssigned"
  | "RunnerStarted"
  | "RunnerCompleted"
  | "RunnerFailed"
  | "RunnerStopped"
  | "RunnerNotStarted"
  | "RunnerLost"
  | "RetryScheduled"
  | "CancelRequested"
  | "StartTimedOut"
  | "TaskSucceeded"
  | "TaskFailed"
  | "TaskCancelled"
  | "TaskSkipped"
  | "LateResultKept"
  | "LateResultAccepted"
  | "TaskRetried"
  | "EventsOmitted";

/** A whole task, as it is stored and shown. */
export interface TaskSnapshot {
  readonly header: TaskHeader;
  readonly status: TaskStatus;
  readonly attempts: readonly Attempt[];
  readonly events: readonly TaskEvent[];
}

/** The key of a task. */
export function taskKey(set: string, id: string): string {
  return `${set}/${id}`;
}
