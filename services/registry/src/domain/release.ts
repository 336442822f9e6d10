import { backoffMs, idleWaitMs, lossWaitMs } from "./backoff.js";
import type { LiveTask } from "./memory.js";
import type { ReleaseReason, RunOutcome, TaskStatus } from "./task.js";
import type { Transition } from "./transition.js";

/** What an ended attempt means for its task. */
export type Verdict =
  | { readonly kind: "succeeded" }
  | { readonly kind: "failed"; readonly permanent: boolean; readonly text: string }
  | { readonly kind: "lost"; readonly text: string }
  | { readonly kind: "idle"; readonly text: string };

/** Judges an ended attempt: by the outcome first, then by the reason of the release. */
export function judge(reason: ReleaseReason | "no_lease", outcome: RunOutcome | null, runner: string): Verdict {
  switch (outcome?.result) {
    case "SUCCEEDED":
      return { kind: "succeeded" };
    case "FAILED":
    case "TIMED_OUT":
      return { kind: "failed", permanent: outcome.permanent, text: describe(outcome) };
    case "NOT_STARTED":
      if (outcome.permanent) return { kind: "failed", permanent: true, text: describe(outcome) };
      return { kind: "idle", text: describe(outcome) };
    case "STOPPED":
      return { kind: "idle", text: describe(outcome) };
    case undefined:
      break;
  }
  switch (reason) {
    case "expired":
      return { kind: "lost", text: `runner ${runner} fell silent` };
    case "runner_lost":
      return { kind: "lost", text: `runner ${runner} came back as a new process` };
    case "completed":
      // A completion without outcome breaks the contract; what ran can't be known, as with a lost runner.
      return { kind: "lost", text: `runner ${runner} reported no outcome` };
    case "not_started":
    case "no_lease":
      return { kind: "idle", text: "it never began" };
    case "revoked":
      return { kind: "idle", text: "its lease was revoked" };
  }
}

/** One line on an outcome. */
export function describe(outcome: RunOutcome): string {
  if (outcome.message !== "") return outcome.message;
  if (outcome.exitCode !== null && outcome.exitCode !== 0) return `exit code ${outcome.exitCode}`;
  if (outcome.signal !== "") return `ended by ${outcome.signal}`;
  return outcome.result.toLowerCase().replaceAll("_", " ");
}

/** Moves a task on after its attempt ended. */
export function conclude(transition: Transition, task: LiveTask, verdict: Verdict): void {
  const { forbid, state } = task.status;
  if (verdict.kind === "succeeded") return transition.finish(task, "SUCCEEDED", "");
  if (forbid?.why === "late") return takeLate(transition, task, forbid.lateAttempt);
  if (state === "CANCELLING") return transition.finish(task, "CANCELLED", forbid?.text ?? "");
  if (forbid?.why === "startTimeout") return transition.finish(task, "FAILED", forbid.text);
  switch (verdict.kind) {
    case "failed":
      return fail(transition, task, verdict);
    case "lost":
      return lose(transition, task, verdict.text);
    case "idle":
      return again(transition, task, verdict.text);
  }
}

/** Lets a task take a late result. */
export function takeLate(transition: Transition, task: LiveTask, number: number): void {
  const attempt = task.attempt(number);
  if (!attempt?.lateOutcome) throw new Error(`${task.header.key} has no late result of attempt ${number}`);
  const accepted = { ...attempt, lateAccepted: true };
  transition.update(task, { forbid: null }, accepted, [
    ["LateResultAccepted", { attempt: number, runner: attempt.runner, slot: attempt.slot }],
  ]);
  const verdict = judge("completed", attempt.lateOutcome, attempt.runner);
  if (verdict.kind === "succeeded") transition.finish(task, "SUCCEEDED", "");
  else if (verdict.kind === "failed") fail(transition, task, verdict);
  else again(transition, task, verdict.text);
}

function fail(transition: Transition, task: LiveTask, { permanent, text }: { permanent: boolean; text: string }): void {
  const { retry, key } = task.header;
  const failureCount = task.status.failureCount + 1;
  if (permanent || failureCount >= retry.maxAttempts) {
    transition.update(task, { failureCount }, null, []);
    const budget = permanent ? "a retry can't help" : `${failureCount} of ${retry.maxAttempts} attempts failed`;
    return transition.finish(task, "FAILED", `${text} (${budget})`);
  }
  wait(transition, task, backoffMs(retry, failureCount, key, task.status.attempt), text, {
    failureCount,
    idleCount: 0,
    // A retry was spent: the next attempt goes behind those who are ready now.
    sequence: 0,
    overtaken: 0,
  });
}

function lose(transition: Transition, task: LiveTask, text: string): void {
  const lossCount = task.status.lossCount + 1;
  const { runnerLossLimit } = transition.settings;
  if (lossCount > runnerLossLimit) {
    transition.update(task, { lossCount }, null, []);
    const bound = `lost with its runner ${lossCount} times, at most ${runnerLossLimit} are allowed`;
    return transition.finish(task, "FAILED", `${text} (${bound})`);
  }
  back(transition, task, lossWaitMs(lossCount), text, { lossCount });
}

function again(transition: Transition, task: LiveTask, text: string): void {
  const idleCount = task.status.idleCount + 1;
  const { noResultLimit } = transition.settings;
  if (idleCount > noResultLimit) {
    transition.update(task, { idleCount }, null, []);
    const bound = `ended ${idleCount} times without a result, at most ${noResultLimit} are allowed`;
    return transition.finish(task, "FAILED", `${text} (${bound})`);
  }
  back(transition, task, idleWaitMs(idleCount), text, { idleCount });
}

/** Lets a task that spent no retry go back to where it was, after a wait if there is one. */
function back(
  transition: Transition,
  task: LiveTask,
  waitMs: number,
  text: string,
  counts: { lossCount: number } | { idleCount: number },
): void {
  if (waitMs > 0) return wait(transition, task, waitMs, text, counts);
  transition.update(task, counts, null, []);
  transition.makeReady(task, `${text}; tried again`);
}

function wait(transition: Transition, task: LiveTask, waitMs: number, text: string, patch: Partial<TaskStatus>): void {
  const readyMs = transition.now.wallMs + waitMs;
  const message = `in ${(waitMs / 1_000).toFixed(1)} s: ${text}`;
  transition.update(task, { state: "BACKING_OFF", reason: text, readyMs, forbid: null, ...patch }, null, [
    ["RetryScheduled", { message }],
  ]);
}
