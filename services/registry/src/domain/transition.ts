import type { Now } from "@berth/chassis/engine";
import type { SubmitDefaults } from "./check-spec.js";
import type { Change } from "./commands.js";
import type { LiveTask, Memory } from "./memory.js";
import { conditionOf, meets, unmetText } from "./needs.js";
import {
  type Attempt,
  type EventKind,
  type FinalState,
  isFinal,
  type TaskEvent,
  type TaskHeader,
  type TaskStatus,
} from "./task.js";

/** Settings of the rules. */
export interface CoreSettings extends SubmitDefaults {
  /** Lost runners that a task survives. */
  readonly runnerLossLimit: number;
  /** Attempts without a result (not started, stopped, revoked) that a task survives between two failures. */
  readonly noResultLimit: number;
}

/** What a history entry says beside its kind. */
export type EventDetail = Partial<Pick<TaskEvent, "timeMs" | "attempt" | "runner" | "slot" | "durationMs" | "message">>;

/** One decision under way: every change goes through `update`, which applies it and writes it down. */
export class Transition {
  readonly memory: Memory;
  readonly now: Now;
  readonly settings: CoreSettings;
  readonly changes: Change[] = [];

  constructor(memory: Memory, now: Now, settings: CoreSettings) {
    this.memory = memory;
    this.now = now;
    this.settings = settings;
  }

  /** Takes the next revision. */
  nextRevision(): number {
    return ++this.memory.revision;
  }

  /** Gives a task a new status, with an attempt and history entries. */
  update(
    task: LiveTask,
    patch: Partial<TaskStatus>,
    attempt: Attempt | null,
    events: readonly [EventKind, EventDetail?][],
  ): void {
    const before = task.status;
    const entries = events.map(
      ([kind, detail], index): TaskEvent => ({
        number: before.eventCount + 1 + index,
        kind,
        timeMs: this.now.wallMs,
        attempt: patch.attempt ?? before.attempt,
        runner: "",
        slot: "",
        durationMs: -1,
        message: "",
        ...detail,
      }),
    );
    const status = {
      ...before,
      ...patch,
      revision: this.nextRevision(),
      eventCount: before.eventCount + entries.length,
    };
    this.memory.change(task, status, attempt, entries);
    this.changes.push({
      kind: "task",
      key: task.header.key,
      status,
      attempt,
      events: entries,
      subject: task,
      from: before.state,
    });
  }

  /** Makes the next attempt ready: in the order that the task has kept, or else behind all that are ready now. */
  makeReady(task: LiveTask, message = ""): void {
    const attempt = task.status.attempt + 1;
    const readyMs = this.now.wallMs;
    const patch = {
      state: "READY",
      attempt,
      reason: "",
      readyMs,
      startMs: 0,
      sequence: task.status.sequence || this.memory.revision + 1,
      progress: 0,
      progressMessage: "",
      runner: "",
      pool: "",
      forbid: null,
    } as const;
    this.update(task, patch, newAttempt(attempt, readyMs), [["TaskReady", { message }]]);
  }

  /** Ends a task and settles its dependents: one whose need is met by this end comes a need nearer, any other is skipped. */
  finish(task: LiveTask, state: "SUCCEEDED" | "FAILED" | "CANCELLED" | "SKIPPED", reason: string): void {
    const ended: LiveTask[] = [];
    this.end(task, state, reason);
    ended.push(task);
    for (let one = ended.pop(); one; one = ended.pop()) {
      const dependents = this.memory.dependents.get(one.header.key);
      if (!dependents) continue;
      this.memory.dependents.delete(one.header.key);
      for (const key of dependents) {
        const dependent = this.memory.tasks.get(key);
        if (!dependent?.waits.delete(one.header.id) || dependent.status.state !== "PENDING") continue;
        const { header } = dependent;
        if (meets(one.status.state as FinalState, conditionOf(header.needConditions, one.header.id))) {
          if (dependent.waits.size === 0) this.makeReady(dependent);
        } else {
          this.end(dependent, "SKIPPED", skippedFor(header, one.header.id, one.status));
          ended.push(dependent);
        }
      }
    }
  }

  private end(task: LiveTask, state: "SUCCEEDED" | "FAILED" | "CANCELLED" | "SKIPPED", reason: string): void {
    if (isFinal(task.status.state))
      throw new Error(`S8: ${task.header.key} is ${task.status.state} and was to become ${state}`);
    const kind = (
      { SUCCEEDED: "TaskSucceeded", FAILED: "TaskFailed", CANCELLED: "TaskCancelled", SKIPPED: "TaskSkipped" } as const
    )[state];
    this.update(task, { state, reason, endMs: this.now.wallMs, forbid: null }, null, [[kind, { message: reason }]]);
  }
}

/** Why a task is skipped for a need that ended so. Names the task that failed, not the one that was skipped for it. */
export function skippedFor(
  { needConditions }: Pick<TaskHeader, "needConditions">,
  need: string,
  ended: Pick<TaskStatus, "state" | "reason">,
): string {
  const condition = conditionOf(needConditions, need);
  const passedOn = ended.state === "SKIPPED" && condition === "succeeded" && ended.reason !== "";
  // Who asks has seen it end.
  return passedOn ? ended.reason : unmetText(need, condition, ended.state as FinalState);
}

function newAttempt(attempt: number, readyMs: number): Attempt {
  return {
    attempt,
    lease: "",
    token: 0,
    runner: "",
    pool: "",
    slot: "",
    readyMs,
    grantMs: 0,
    startMs: 0,
    endMs: 0,
    outcome: null,
    releaseReason: "",
    lateOutcome: null,
    lateAccepted: false,
  };
}
