import type { Commit } from "@berth/chassis/engine";
import { noTelemetry, type Telemetry, type TraceSpan } from "@berth/chassis/telemetry";
import type { Bid } from "../domain/bid.js";
import type { Change } from "../domain/changes.js";
import type { Completion } from "../domain/completion.js";
import { attemptKey, type Lease } from "../domain/lease.js";

/** Spans that are open at a time. Beyond it the oldest is given up: it is never sent, and what is under it stays in the trace. */
const openMax = 100_000;

/**
 * The pool-manager's part of a task's trace: "grant" from the arrival of a bid to the commit of its lease, "complete" from the arrival of
 * an outcome to the commit that it decided. A lease carries the traceparent of the last of them, so what follows is its child. Off, it
 * costs one look at a boolean per call.
 */
export class PoolTracer {
  private readonly telemetry: Telemetry;
  private readonly grants = new Map<string, TraceSpan>();
  private readonly completions = new Map<string, TraceSpan>();

  constructor(telemetry: Telemetry = noTelemetry) {
    this.telemetry = telemetry;
  }

  /** Begins a span for each bid that has none; the lease will carry it. */
  bids(bids: readonly Bid[]): readonly Bid[] {
    if (!this.telemetry.enabled) return bids;
    return bids.map((bid) => {
      const { traceParent } = this.begin(this.grants, attemptKey(bid.task, bid.attempt), "grant", bid.traceParent);
      return { ...bid, traceParent };
    });
  }

  /** Begins a span for each outcome. One that comes twice, by stream and by bus, has one. */
  outcomes(items: readonly Completion[]): readonly Completion[] {
    if (!this.telemetry.enabled) return items;
    return items.map((item) => {
      if (!item.traceParent) return item;
      return {
        ...item,
        traceParent: this.begin(this.completions, item.lease, "complete", item.traceParent).traceParent,
      };
    });
  }

  /** Gives up what was begun for outcomes that decided nothing. */
  answered(items: readonly Completion[]): void {
    if (this.telemetry.enabled) for (const { lease } of items) this.completions.delete(lease);
  }

  /** Ends the spans of what a commit granted or released. */
  committed({ changes }: Commit<Change>): void {
    if (!this.telemetry.enabled) return;
    for (const change of changes) {
      if (change.k !== "lease") continue;
      const { e: kind, l: lease } = change;
      if (kind === "GRANTED") this.end(this.grants, attemptKey(lease.task, lease.attempt), lease);
      else if (kind === "RELEASED" || kind === "LATE_RESULT") this.end(this.completions, lease.id, lease);
    }
  }

  private begin(open: Map<string, TraceSpan>, key: string, name: string, parent: string): TraceSpan {
    const known = open.get(key);
    if (known) return known;
    const span = this.telemetry.startSpan(name, { parent, kind: "consumer" });
    open.set(key, span);
    const oldest = open.keys().next().value;
    if (open.size > openMax && oldest !== undefined) open.delete(oldest);
    return span;
  }

  private end(open: Map<string, TraceSpan>, key: string, lease: Lease): void {
    const span = open.get(key);
    if (!span) return;
    open.delete(key);
    span.setAttribute("berth.task", lease.task);
    span.setAttribute("berth.attempt", lease.attempt);
    span.setAttribute("berth.lease", lease.id);
    span.setAttribute("berth.pool", lease.pool);
    span.setAttribute("berth.slot", lease.slot);
    span.setAttribute("berth.runner", lease.runner);
    if (lease.reason) span.setAttribute("berth.reason", lease.reason);
    const outcome = lease.lateOutcome ?? lease.outcome;
    if (outcome) {
      span.setAttribute("berth.result", outcome.result);
      if (outcome.result !== "SUCCEEDED") span.fail(outcome.message || outcome.result);
    }
    span.end();
  }
}
