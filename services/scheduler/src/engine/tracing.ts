import type { Telemetry, TraceSpan } from "@berth/chassis/telemetry";
import type { Assignment, ReadyTask } from "../domain/task.js";

/** Spans that are open at a time. Beyond it the oldest is given up: it is never sent, and what is under it stays in the trace. */
const openMax = 100_000;

/**
 * The scheduler's part of a task's trace: "assign", from the first bid for an attempt until its work is on the way to a runner. What the
 * pool-manager does about the bid is under it. Off, it costs one look at a boolean per bid.
 */
export class AssignTracer {
  private readonly telemetry: Telemetry;
  private readonly open = new Map<string, { readonly attempt: number; readonly span: TraceSpan }>();

  constructor(telemetry: Telemetry) {
    this.telemetry = telemetry;
  }

  /** Traceparent for a bid; begins the span at the first bid for the attempt. */
  bidding({ task, attempt, traceParent }: ReadyTask): string {
    if (!this.telemetry.enabled) return traceParent;
    const known = this.open.get(task);
    if (known?.attempt === attempt) return known.span.traceParent;
    const attributes = { "berth.task": task, "berth.attempt": attempt };
    const span = this.telemetry.startSpan("assign", { parent: traceParent, attributes });
    this.open.set(task, { attempt, span });
    const oldest = this.open.keys().next().value;
    if (this.open.size > openMax && oldest !== undefined) this.open.delete(oldest);
    return span.traceParent;
  }

  /** Traceparent for the work of an assignment; ends the span. */
  handedOut({ task, grant }: Assignment): string {
    const known = this.telemetry.enabled ? this.open.get(task.task) : undefined;
    if (known?.attempt === task.attempt) {
      this.open.delete(task.task);
      known.span.setAttribute("berth.lease", grant.lease);
      known.span.setAttribute("berth.pool", grant.pool);
      known.span.setAttribute("berth.slot", grant.slot);
      known.span.setAttribute("berth.runner", grant.runner);
      known.span.end();
    }
    return grant.traceParent || task.traceParent;
  }

  /** Gives up the span of a task that needs no runner any more. */
  forget(task: string): void {
    if (this.telemetry.enabled) this.open.delete(task);
  }
}
