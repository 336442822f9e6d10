import type { BerthClient } from "@berth/client";
import { registry } from "@berth/contracts";
import { withClient } from "../connection.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, printJson, say } from "../io.js";
import type { GlobalOptions } from "../places.js";
import { choosesBy, type FilterOptions, filterFrom, named } from "../selection.js";
import { selectionOf } from "../wire.js";
import { confirmed } from "./confirm.js";

const State = registry.Task_State;
/** Tasks that one call names at most. */
const callMost = 1_000;
const live = [State.PENDING, State.READY, State.ASSIGNED, State.RUNNING, State.BACKING_OFF, State.CANCELLING];
const retriable = [State.FAILED, State.CANCELLED, State.SKIPPED];

/** A misspelt id would otherwise look like success. */
function nothingThere({ set, tasks }: registry.TaskFilter, io: Io): UsageError {
  const what = set === "" ? `task ${tasks.join(", ")}` : `task set ${set}, or it is empty`;
  return new UsageError(
    `there is no ${what}; nothing was changed. \`${hint(io, "sets")}\` and \`${hint(io, "tasks")}\` show what there is`,
    1,
  );
}

/** `berth cancel`: what is named, or what flags choose; the latter is asked about where it is more than one task. */
export function cancel(
  ids: readonly string[],
  options: GlobalOptions & FilterOptions & { reason: string; yes?: boolean },
  io: Io,
): Promise<number> {
  const names = ids.length > 0 || options.set !== undefined;
  if (!names && !choosesBy(filterFrom(options)))
    throw new UsageError(
      `name tasks (SET/TASK) or a set, or choose by --state, --pool, --tenant or --label: ${hint(io, "cancel SET")}`,
    );
  return withClient(options, io, async (client) => {
    const filter = await named(client, ids, options, io);
    const total = { cancelledCount: 0, finalCount: 0 };
    const add = (answer: registry.CancelTasksResponse) => {
      total.cancelledCount += answer.cancelledCount;
      total.finalCount += answer.finalCount;
    };
    if (names) {
      add(await client.cancel(selectionOf(filter), options.reason));
      if (total.cancelledCount + total.finalCount === 0 && !choosesBy(filter)) throw nothingThere(filter, io);
    } else {
      const tasks = await chosen(client, filter, live);
      const question = `${tasks.length} tasks are to be cancelled: ${someOf(tasks)}.`;
      if (tasks.length > 1 && options.yes !== true && !(await confirmed(question, io))) {
        say(io, "nothing was changed");
        return 1;
      }
      // Exactly what was asked about, and only while it is as it was asked for.
      for (const part of parts(tasks))
        add(await client.cancel({ ...selectionOf(filter), tasks: part }, options.reason));
    }
    if (options.json === true) printJson(io, total);
    else say(io, `${total.cancelledCount} cancelled or being cancelled, ${total.finalCount} were final before`);
    return 0;
  });
}

/** `berth retry`: what is named, or what flags choose of all that ended badly. */
export function retry(
  ids: readonly string[],
  options: GlobalOptions & FilterOptions & { failed?: boolean },
  io: Io,
): Promise<number> {
  if (options.failed === true && options.state !== undefined)
    throw new UsageError("--failed is --state failed: give one of them");
  const wanted = options.failed === true ? { ...options, state: "failed" } : options;
  const names = ids.length > 0 || options.set !== undefined;
  if (!names && !choosesBy(filterFrom(wanted)))
    throw new UsageError(
      `name tasks (SET/TASK), a set, or --failed, or choose by --state, --pool, --tenant or --label: ${hint(io, "retry SET --failed")}`,
    );
  return withClient(options, io, async (client) => {
    const filter = await named(client, ids, wanted, io);
    const total = { retriedCount: 0, ignoredCount: 0 };
    const add = (answer: registry.RetryTasksResponse) => {
      total.retriedCount += answer.retriedCount;
      total.ignoredCount += answer.ignoredCount;
    };
    if (names) {
      add(await client.retry(selectionOf(filter)));
      if (!choosesBy(filter) && total.retriedCount + total.ignoredCount === 0) throw nothingThere(filter, io);
    } else {
      // Set by set, oldest first: a task may only begin anew together with those that it needs.
      const tasks = (await chosen(client, filter, retriable)).reverse();
      for (const some of bySet(tasks))
        for (const part of parts(some)) add(await client.retry({ ...selectionOf(filter), tasks: part }));
    }
    if (options.json === true) printJson(io, total);
    else say(io, retriedLine(total));
    return 0;
  });
}

function retriedLine({ retriedCount, ignoredCount }: registry.RetryTasksResponse): string {
  const anew = retriedCount === 1 ? "1 task begins anew" : `${retriedCount} tasks begin anew`;
  if (ignoredCount === 0) return anew;
  return `${anew}, ${ignoredCount} left as they are (only failed, cancelled and skipped ones can be retried)`;
}

/** The tasks that a filter chooses of those that can be changed at all, newest first. */
async function chosen(
  client: BerthClient,
  filter: registry.TaskFilter,
  possible: readonly registry.Task_State[],
): Promise<string[]> {
  const states = filter.states.length === 0 ? [...possible] : filter.states.filter((each) => possible.includes(each));
  if (states.length === 0) return [];
  const found: string[] = [];
  for await (const { task } of client.tasks(selectionOf({ ...filter, states }), { pageSize: 1_000 })) found.push(task);
  return found;
}

function bySet(tasks: readonly string[]): string[][] {
  const sets = new Map<string, string[]>();
  for (const task of tasks) {
    const set = task.slice(0, task.indexOf("/"));
    const there = sets.get(set);
    if (there === undefined) sets.set(set, [task]);
    else there.push(task);
  }
  return [...sets.values()];
}

function parts(tasks: readonly string[]): string[][] {
  const found: string[][] = [];
  for (let at = 0; at < tasks.length; at += callMost) found.push(tasks.slice(at, at + callMost));
  return found;
}

function someOf(tasks: readonly string[]): string {
  const shown = tasks.slice(0, 5).join(", ");
  return tasks.length > 5 ? `${shown} and ${tasks.length - 5} more` : shown;
}
