import type { Telemetry } from "@berth/chassis/telemetry";
import type { TaskChange } from "../domain/commands.js";
import type { LeaseEvent } from "../domain/lease-event.js";
import { isFinal } from "../domain/task.js";
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

/**
 * The root of each task's trace: "task", from its creation to its end, linked with its submission. Its ids were chosen when the task was taken, so that all
 * that is done for the task can be under it; it is written after the commit that ends the task, by whichever process leads then. What
 * RetryTasks lets begin anew goes on in the same trace, with a "task" for each further end, under the first.
 */
export function traceTasks(registry: Pick<Registry, "onCommit">, telemetry: Telemetry): void {
  if (!telemetry.enabled) return;
  registry.onCommit(({ changes }) => {
    for (const change of changes) if (change.kind === "task") traceEnd(change, telemetry);
  });
}

function traceEnd({ key, status, subject, from }: TaskChange, telemetry: Telemetry): void {
  if (subject?.header.submission === undefined || !isFinal(status.state) || (from && isFinal(from))) return;
  const { traceParent, submission, set, tenant, createMs } = subject.header;
  const retried = subject.events.findLast(({ kind }) => kind === "TaskRetried");
  const begin = retried
    ? { parent: traceParent, startWallMs: retried.timeMs }
    : { root: traceParent, startWallMs: createMs };
  const span = telemetry.startSpan("task", { ...begin, links: [submission] });
  span.setAttribute("berth.task", key);
  span.setAttribute("berth.set", set);
  if (tenant !== "") span.setAttribute("berth.tenant", tenant);
  span.setAttribute("berth.attempt", status.attempt);
  span.setAttribute("berth.state", status.state);
  if (status.state === "FAILED") span.fail(status.reason);
  span.end(status.endMs);
}
