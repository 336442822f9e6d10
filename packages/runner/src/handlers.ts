import { describe, isA } from "@berth/chassis/errors";
import type { runner } from "@berth/contracts";
import type { Ending } from "./domain/outcome.js";
import type { RunTrace } from "./domain/trace-context.js";

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

/** What the runner does for a handler's context. */
export interface ContextActions {
  progress(fraction: number, message: string): void;
  heartbeat(): void;
  log(text: string): void;
}

const resultBytesMax = 256 * 1024;
const nothing = Buffer.alloc(0);

/** One call of a handler. The context is this object itself: a thousand calls a second and more make one object each. */
export class HandlerRun implements HandlerContext {
  private readonly work: runner.Work;
  private readonly trace: RunTrace;
  private readonly actions: ContextActions;
  private controller: AbortController | undefined;
  private abortReason: Error | undefined;
  readonly ended: Promise<Ending>;

  constructor(work: runner.Work, trace: RunTrace, handler: Handler, actions: ContextActions) {
    this.work = work;
    this.trace = trace;
    this.actions = actions;
    this.ended = this.call(handler);
  }

  get attempt(): number {
    return this.work.attempt;
  }

  get lease(): string {
    return this.work.lease;
  }

  get token(): bigint {
    return this.work.token;
  }

  get traceParent(): string {
    return this.trace.traceParent;
  }

  get traceState(): string {
    return this.trace.traceState;
  }

  get baggage(): string {
    return this.trace.baggage;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.abortReason) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  progress(fraction: number, message = ""): void {
    this.actions.heartbeat();
    this.actions.progress(fraction, message);
  }

  heartbeat(): void {
    this.actions.heartbeat();
  }

  log(text: string): void {
    this.actions.heartbeat();
    this.actions.log(text);
  }

  /** Aborts the signal. A handler that doesn't listen can't be ended; its lease stays occupied until it returns. */
  stop(reason: string): void {
    if (this.abortReason) return;
    this.abortReason = new Error(reason);
    this.controller?.abort(this.abortReason);
  }

  private async call(handler: Handler): Promise<Ending> {
    try {
      const { work } = this;
      const payloadJson = work.run?.kind?.$case === "handler" ? work.run.kind.value.payloadJson : nothing;
      const payload: unknown = payloadJson.length === 0 ? null : JSON.parse(payloadJson.toString());
      const task = {
        task: work.task,
        attempt: work.attempt,
        payload,
        pool: work.pool,
        slot: work.slot,
        tenant: work.tenant,
      };
      const result = await handler(task, this);
      if (result === undefined) return { kind: "returned", resultJson: nothing };
      const resultJson = Buffer.from(JSON.stringify(result) ?? "");
      if (resultJson.length <= resultBytesMax) return { kind: "returned", resultJson };
      return {
        kind: "threw",
        message: `the result has ${resultJson.length} bytes of JSON; at most ${resultBytesMax} are kept: store it elsewhere and return where`,
        permanent: true,
      };
    } catch (error) {
      return { kind: "threw", message: describe(error, { named: true }), permanent: isA(error, PermanentError) };
    }
  }
}
