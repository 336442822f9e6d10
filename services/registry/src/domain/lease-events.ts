import type { Counted, RowFacts, Stale } from "./commands.js";
import { enterStored } from "./enter.js";
import type { LeaseEvent } from "./lease-event.js";
import type { LiveTask } from "./memory.js";
import { conclude, describe, judge } from "./release.js";
import { type Attempt, type EventKind, isFinal } from "./task.js";
import type { EventDetail, Transition } from "./transition.js";

/** Takes a batch of lease events and the cursor behind it. Events at or below the present cursor were taken before. */
export function takeLeaseEvents(
  transition: Transition,
  events: readonly LeaseEvent[],
  cursor: number,
  facts: RowFacts,
): Counted | Stale {
  const { memory } = transition;
  const late = events.filter((event) => event.kind === "late_result" && event.position > memory.cursor);
  if (
    late.some(
      ({ key }) =>
        !memory.tasks.has(key) && (memory.leavers.forgot(facts.drops) || memory.leavers.since(key, facts.drops)),
    )
  )
    return { kind: "stale" };
  let changed = 0;
  let unknown = 0;
  for (const event of events) {
    if (event.position <= memory.cursor) continue;
    if (takeOne(transition, event, facts)) changed++;
    else unknown++;
  }
  if (cursor > memory.cursor) {
    memory.cursor = cursor;
    transition.changes.push({ kind: "cursor", position: cursor });
  }
  return { kind: "counted", changed, unchanged: 0, unknown };
}

/** What the pool-manager says of a lease is compared, where the journal was lost, by the same rules. */
function takeOne(transition: Transition, event: LeaseEvent, facts: RowFacts): boolean {
  const { memory } = transition;
  if (event.kind === "late_result") return keepLate(transition, event, facts);
  const task = memory.tasks.get(event.key);
  if (!task || isFinal(task.status.state) || task.status.attempt !== event.attempt) return false;
  const attempt = task.attempt(event.attempt);
  if (!attempt || attempt.endMs > 0) return false;
  switch (event.kind) {
    case "granted":
      return grant(transition, task, attempt, event);
    case "started":
      grant(transition, task, attempt, event);
      return start(transition, task, event, event.startMs || event.timeMs);
    case "revoking":
      transition.update(
        task,
        { reason: event.revokeReason === "" ? "its lease is being revoked" : event.revokeReason },
        null,
        [],
      );
      return true;
    case "expired":
      transition.update(task, { reason: `runner ${event.runner} fell silent; a late result is waited for` }, null, []);
      return true;
    case "released":
      return release(transition, task, attempt, event);
  }
}

function grant(transition: Transition, task: LiveTask, before: Attempt, event: LeaseEvent): boolean {
  if (before.lease !== "") return false;
  const { lease, token, runner, pool, slot } = event;
  const attempt = { ...before, lease, token, runner, pool, slot, grantMs: event.grantMs || event.timeMs };
  const state = task.status.state === "READY" ? "ASSIGNED" : task.status.state;
  transition.update(task, { state, runner, pool }, attempt, [
    ["TaskAssigned", { timeMs: attempt.grantMs, runner, slot }],
  ]);
  return true;
}

function start(
  transition: Transition,
  task: LiveTask,
  { attempt: number, runner, slot }: LeaseEvent,
  startMs: number,
): boolean {
  const before = task.attempt(number);
  if (!before || before.startMs > 0) return false;
  const state = task.status.state === "ASSIGNED" ? "RUNNING" : task.status.state;
  transition.update(task, { state, startMs }, { ...before, startMs }, [
    ["RunnerStarted", { timeMs: startMs, runner, slot }],
  ]);
  return true;
}

function release(transition: Transition, task: LiveTask, before: Attempt, event: LeaseEvent): boolean {
  const reason = event.reason === "" ? "completed" : event.reason;
  const { outcome, runner, slot } = event;
  grant(transition, task, before, event);
  const startMs = outcome?.startMs || event.startMs;
  if (startMs > 0 && outcome?.result !== "NOT_STARTED") start(transition, task, event, startMs);
  const begun = task.attempt(event.attempt) as Attempt;
  const endMs = outcome?.endMs || event.timeMs;
  const durationMs = begun.startMs > 0 ? Math.max(0, endMs - begun.startMs) : -1;
  const verdict = judge(reason, outcome, runner);
  const ended: Attempt = { ...begun, endMs, outcome, releaseReason: reason };
  const detail: EventDetail = {
    timeMs: endMs,
    runner,
    slot,
    durationMs,
    message:
      outcome && verdict.kind !== "succeeded" ? describe(outcome) : verdict.kind === "succeeded" ? "" : verdict.text,
  };
  // The lease brings the count along, and the count begins with what the bid brought: it is the larger one, whatever was missed.
  const overtaken = Math.max(task.status.overtaken, event.overtaken ?? 0);
  transition.update(task, { overtaken }, ended, [[endKind(verdict.kind, outcome?.result), detail]]);
  conclude(transition, task, verdict);
  return true;
}

function endKind(verdict: "succeeded" | "failed" | "lost" | "idle", result: string | undefined): EventKind {
  if (verdict === "succeeded") return "RunnerCompleted";
  if (verdict === "failed") return "RunnerFailed";
  if (verdict === "lost") return "RunnerLost";
  return result === "STOPPED" ? "RunnerStopped" : "RunnerNotStarted";
}

function keepLate(transition: Transition, event: LeaseEvent, facts: RowFacts): boolean {
  const seen = transition.memory.tasks.get(event.key) ?? facts.rows.find(({ header }) => header.key === event.key);
  const attempt = seen?.attempts.find(({ attempt: number }) => number === event.attempt);
  const lateOutcome = event.lateOutcome ?? event.outcome;
  if (!seen || !attempt || attempt.lateOutcome || !lateOutcome) return false;
  const detail = { attempt: event.attempt, runner: event.runner, slot: event.slot, message: describe(lateOutcome) };
  transition.update(enterStored(transition, seen), {}, { ...attempt, lateOutcome }, [["LateResultKept", detail]]);
  return true;
}
