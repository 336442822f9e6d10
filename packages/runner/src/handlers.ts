/** What a handler is called with. */
export interface HandlerTask<Payload = unknown> {
  /** Task: {set}/{task}. */
  readonly task: string;
  /** Attempt, from 1. */
  readonly attempt: number;
  /** The task's payload, decoded from JSON; null if it has none. */
  readonly payload: Payload;
  /** Pool that the lease is in. */
  readonly pool: string;
  /** Slot that the lease holds. */
  readonly slot: string;
  /** Tenant; empty if none. */
  readonly tenant: string;
}

/** What a handler can do while it runs. */
export interface HandlerContext {
  /** Aborts when the run has to end: revoked, timed out, or the runner's deadline is near. */
  readonly signal: AbortSignal;
  /** Attempt, from 1. */
  readonly attempt: number;
  /** Lease id. */
  readonly lease: string;
  /** Fencing token: larger than that of every lease granted before. */
  readonly token: bigint;
  /** W3C traceparent of this run, for what it calls: of its span, or without tracing what the client gave with the submission. Empty for none. */
  readonly traceParent: string;
  /** W3C tracestate that goes with it; empty for none. */
  readonly traceState: string;
  /** W3C baggage that the client gave with the submission; empty for none. */
  readonly baggage: string;
  /** Says how far it is: 0 to 1, and at most 256 characters. Counts as a heartbeat. */
  progress(fraction: number, message?: string): void;
  /** Says that it is alive, for tasks with a heartbeat time-out. */
  heartbeat(): void;
  /** Adds a line to the task's output. Counts as a heartbeat. */
  log(text: string): void;
}

/**
 * Runs one attempt. What it returns (at most 256 KiB of JSON) is the task's result; what it throws fails the attempt, for good if
 * it is a {@link PermanentError}.
 */
export type Handler<Payload = unknown> = (task: HandlerTask<Payload>, context: HandlerContext) => unknown;

/** Thrown by a handler when trying again can't help: the attempts left aren't spent. */
export class PermanentError extends Error {
  override readonly name = "PermanentError";
}
