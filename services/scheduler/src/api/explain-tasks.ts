// Explains many tasks at once: the pool-manager is asked once for each class.
import { FieldCheck } from "@berth/chassis/grpc";
import type { pool, scheduler } from "@berth/contracts";
import type { SchedulerCore } from "../domain/core.js";
import type { TaskClass } from "../domain/entry.js";
import { otherCauses, shortCause, type WaitingClass, waitingOf } from "../domain/waiting.js";
import { refusalFacts, wireBid } from "./translate.js";

const tasksMost = 1_000;
/** Questions under way at once for one answer. */
const asking = 8;

/** Answers ExplainTasks. */
export async function explainTasks(
  core: SchedulerCore,
  refusalsOf: (bid: pool.Bid) => Promise<pool.Refusal[]>,
  { set, tasks }: scheduler.ExplainTasksRequest,
): Promise<scheduler.ExplainTasksResponse> {
  new FieldCheck()
    .length("set", set, 0, 63)
    .that(tasks.length <= tasksMost, "tasks", `has ${tasks.length} tasks; at most ${tasksMost} are explained at once`)
    .throwIfAny();
  const { classes, unasked, aside } = waitingOf(core, set);
  // What is asked for one by one is looked up before the questions: the queues go on meanwhile.
  const wanted = tasks.map((task) => core.entries.get(task)).filter((entry) => entry !== undefined);
  const known = wanted.map(({ name, phase, class: of }) => ({ name, phase, of }));
  const causes = await causesOf(classes, refusalsOf);
  const counts = new Map<string, number>();
  const add = (cause: string, count: number) => {
    if (count > 0) counts.set(cause, (counts.get(cause) ?? 0) + count);
  };
  for (const { class: of, count } of classes) add(causes.get(of) ?? otherCauses.unasked, count);
  add(otherCauses.unasked, unasked);
  add(otherCauses.aside, aside);
  const most = [...counts].sort((left, right) => right[1] - left[1] || (left[0] < right[0] ? -1 : 1));
  return {
    queuedCount: BigInt(most.reduce((sum, [, count]) => sum + count, 0)),
    causes: most.map(([cause, count]) => ({ cause, taskCount: BigInt(count) })),
    waits: known
      .filter(({ phase }) => phase !== "granted" && phase !== "recovering")
      .map(({ name, phase, of }) => ({
        task: name,
        cause: phase === "aside" ? otherCauses.aside : (causes.get(of) ?? otherCauses.unasked),
      })),
  };
}

async function causesOf(
  classes: readonly WaitingClass[],
  refusalsOf: (bid: pool.Bid) => Promise<pool.Refusal[]>,
): Promise<Map<TaskClass, string>> {
  const causes = new Map<TaskClass, string>();
  const bids = classes.map(({ class: of, first }) => ({ of, bid: wireBid({ task: first.task, rank: first.rank }) }));
  for (let at = 0; at < bids.length; at += asking)
    await Promise.all(
      bids.slice(at, at + asking).map(async ({ of, bid }) => {
        const refusals = await refusalsOf(bid).catch(() => undefined);
        causes.set(of, refusals === undefined ? otherCauses.unanswered : shortCause(refusals.map(refusalFacts)));
      }),
    );
  return causes;
}
