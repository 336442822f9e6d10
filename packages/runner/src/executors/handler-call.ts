import { describe, isA } from "@berth/chassis/errors";
import type { runner } from "@berth/contracts";
import type { Ending } from "../domain/outcome.js";
import type { RunTrace } from "../domain/trace-context.js";
import { type Handler, type HandlerContext, PermanentError } from "../handlers.js";
import { returnedResult } from "./result.js";

/** What is done for a handler's context. */
export interface ContextActions {
  progress(fraction: number, message: string): void;
  heartbeat(): void;
  output(data: Buffer, stderr: boolean): void;
}

const messageCharactersMax = 256;

/** One call of a handler. The context is this object itself: a thousand calls a second and more make one object each. */
export class HandlerCall implements HandlerContext {
  private readonly work: runner.Work;
  private readonly trace: RunTrace;
  private readonly actions: ContextActions;
  private controller: AbortController | undefined;
  private abortReason: Error | undefined;
  /** How it ended; never rejects. */
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
    this.actions.progress(fraction > 0 ? Math.min(fraction, 1) : 0, message.slice(0, messageCharactersMax));
  }

  heartbeat(): void {
    this.actions.heartbeat();
  }

  log(text: string): void {
    this.actions.heartbeat();
    this.actions.output(Buffer.from(text.endsWith("\n") ? text : `${text}\n`), false);
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
      const payloadJson = work.run?.kind?.$case === "handler" ? work.run.kind.value.payloadJson : undefined;
      const payload: unknown = payloadJson?.length ? JSON.parse(payloadJson.toString()) : null;
      const task = {
        task: work.task,
        attempt: work.attempt,
        payload,
        pool: work.pool,
        slot: work.slot,
        tenant: work.tenant,
      };
      const result = returnedResult(await handler(task, this));
      return "json" in result ? { kind: "returned", resultJson: result.json } : { kind: "threw", ...result };
    } catch (error) {
      return { kind: "threw", message: describe(error, { named: true }), permanent: isA(error, PermanentError) };
    }
  }
}
