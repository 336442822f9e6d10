import type { Counted, Done, Filter, ForbidAnswer, Refused } from "./commands.js";
import { matcher } from "./filter.js";
import type { LiveTask } from "./memory.js";
import { conclude, judge, takeLate } from "./release.js";
import { isFinal } from "./task.js";
import type { Transition } from "./transition.js";

/** Cancels live tasks that match. What has no attempt under way ends at once; the rest waits for the pool-manager. */
export function cancel(transition: Transition, filter: Filter, text: string): Counted {
  const { memory } = transition;
  const matches = matcher(filter);
  const candidates =
    filter.keys.length > 0 ? filter.keys.map((key) => memory.tasks.get(key)) : [...memory.tasks.values()];
  const chosen = candidates.filter(
    (task) => task !== undefined && !isFinal(task.status.state) && matches(task),
  ) as LiveTask[];
  // What is cancelled together ends CANCELLED, not SKIPPED for another that this call cancels: it waits for nothing any more.
  for (const task of chosen) task.waits.clear();
  let changed = 0;
  let unchanged = 0;
  for (const task of chosen) {
    if (cancelOne(transition, task, text)) changed++;
    else unchanged++;
  }
  return { kind: "counted", changed, unchanged, unknown: 0 };
}

function cancelOne(transition: Transition, task: LiveTask, text: string): boolean {
  const reason = text === "" ? "cancelled" : text;
  switch (task.status.state) {
    case "PENDING":
    case "BACKING_OFF":
      transition.update(task, {}, null, [["CancelRequested", { message: reason }]]);
      transition.finish(task, "CANCELLED", reason);
      return true;
    case "READY":
    case "ASSIGNED":
    case "RUNNING":
      forbid(transition, task, { why: "cancel", lateAttempt: 0, answer: "none", text: reason });
      return true;
    case "CANCELLING":
      // It is stopping for the sake of a late result: a cancel wins over that.
      if (task.status.forbid?.why === "late")
        forbid(transition, task, { ...task.status.forbid, why: "cancel", text: reason });
      return true;
    default:
      return false;
  }
}

function forbid(transition: Transition, task: LiveTask, wish: NonNullable<LiveTask["status"]["forbid"]>): void {
  transition.update(task, { state: "CANCELLING", reason: wish.text, forbid: wish }, null, [
    ["CancelRequested", { message: wish.text }],
  ]);
}

/** Accepts a late result: at once where no attempt is under way, otherwise after that one is known to be over. */
export function acceptLate(transition: Transition, key: string, number: number, stored: boolean): Done | Refused {
  const task = transition.memory.tasks.get(key);
  if (!task && !stored) return { kind: "refused", reason: "NOT_FOUND", message: `there is no task ${key}` };
  if (!task || isFinal(task.status.state)) {
    return {
      kind: "refused",
      reason: "WRONG_STATE",
      message: `${key} is final already: a late result can't change it any more`,
    };
  }
  const attempt = task.attempt(number);
  if (!attempt?.lateOutcome)
    return { kind: "refused", reason: "NOT_FOUND", message: `${key} has no late result of attempt ${number}` };
  const { state } = task.status;
  if (attempt.lateAccepted)
    return {
      kind: "refused",
      reason: "WRONG_STATE",
      message: `the late result of attempt ${number} was accepted before`,
    };
  if (state === "BACKING_OFF" || state === "PENDING") takeLate(transition, task, number);
  else {
    const answer = task.status.forbid?.answer ?? "none";
    const text = `the late result of attempt ${number} is taken; attempt ${task.status.attempt} is stopped`;
    transition.update(
      task,
      { state: "CANCELLING", reason: text, forbid: { why: "late", lateAttempt: number, answer, text } },
      null,
      [],
    );
  }
  return { kind: "done" };
}

/**
 * Takes the pool-manager's answers. Without a lease the attempt is over. A lease that is asked to stop will be released by an event. For one
 * that was over before, the event should be on its way: only if a second question finds the task where it was, the answer is taken for the event.
 */
export function takeForbidAnswers(transition: Transition, answers: readonly ForbidAnswer[]): Counted {
  let changed = 0;
  for (const { key, attempt: number, found, outcome } of answers) {
    const task = transition.memory.tasks.get(key);
    const attempt = task?.attempt(number);
    if (!task?.status.forbid || !attempt || task.status.attempt !== number || isFinal(task.status.state)) continue;
    changed++;
    const wish = task.status.forbid;
    if (found === "revoking") transition.update(task, { forbid: { ...wish, answer: "revoking" } }, null, []);
    else if (found === "released" && wish.answer === "none")
      transition.update(task, { forbid: { ...wish, answer: "released" } }, null, []);
    else {
      const reason = found === "no_lease" ? "no_lease" : "completed";
      const ended = { ...attempt, endMs: transition.now.wallMs, outcome, releaseReason: reason } as const;
      transition.update(task, {}, ended, []);
      conclude(transition, task, judge(reason, outcome, attempt.runner));
    }
  }
  return { kind: "counted", changed, unchanged: answers.length - changed, unknown: 0 };
}
