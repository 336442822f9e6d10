import type { Telemetry } from "@berth/chassis/telemetry";
import type { LeaseEvent } from "../domain/lease-event.js";
import type { Registry } from "./registry.js";

/**
 * The registry's last part of a task's trace: "finish", from the arrival of the news that a lease ended until what becomes of the task is
 * committed. Off, it costs one look at a boolean per batch.
 */
export class FinishTracer {
  private readonly registry: Registry;
  private readonly telemetry: Telemetry;

  constructor(registry: Registry, telemetry: Telemetry) {
    this.registry = registry;
    this.telemetry = telemetry;
  }

  /** Takes events by `take`, with a span for each lease that ended. */
  async around<Result>(events: readonly LeaseEvent[], take: () => Promise<Result>): Promise<Result> {
    if (!this.telemetry.enabled) return take();
    const ended = events
      .filter(({ kind, traceParent }) => kind === "released" && traceParent)
      .map((event) => ({ event, span: this.telemetry.startSpan("finish", spanOf(event)) }));
    const states = new Map<string, string>();
    const unlisten = this.registry.onCommit(({ changes }) => {
      for (const change of changes) if (change.kind === "task") states.set(change.key, change.status.state);
    });
    try {
      return await take();
    } finally {
      unlisten();
      for (const { event, span } of ended) {
        const state = states.get(event.key);
        if (state !== undefined) span.setAttribute("berth.state", state);
        if (event.outcome?.result !== "SUCCEEDED") span.fail(event.outcome?.message || event.reason);
        span.end();
      }
    }
  }
}

function spanOf({ key, attempt, lease, pool, runner, slot, reason, traceParent = "" }: LeaseEvent) {
  const attributes = {
    "berth.task": key,
    "berth.attempt": attempt,
    "berth.lease": lease,
    "berth.pool": pool,
    "berth.runner": runner,
    "berth.slot": slot,
    "berth.reason": reason,
  };
  return { parent: traceParent, kind: "consumer", attributes } as const;
}
