// What people call tasks and sets: SET/TASK, SET, the beginning of a set's id, the id of a task alone, @last.

import { isName, taskIdPattern } from "@berth/chassis/grpc";
import type { BerthClient } from "@berth/client";
import { UsageError } from "./errors.js";
import { hint } from "./hints.js";
import type { Io } from "./io.js";
import { lastSet } from "./last-set.js";

/** A set, or a task by `{set}/{task}`. */
export type Named = { readonly set: string } | { readonly task: string };

/** Candidates that an error lists. */
const candidatesMost = 10;

/**
 * Finds what a name means. An exact set wins; then it must be the only one among the sets that begin so and the tasks of that id.
 * @throws UsageError that lists the candidates, or says that there is none.
 */
export async function resolve(client: BerthClient, name: string, io: Io): Promise<Named> {
  const at = name.indexOf("/");
  if (at >= 0) {
    const [set, id] = [name.slice(0, at), name.slice(at + 1)];
    // What can't be a name is looked for nowhere: the registry says what is wrong with it.
    if ((set !== "@last" && !isName(set)) || !isName(id, taskIdPattern)) return { task: name };
    return { task: `${await setOf(client, set, io)}/${id}` };
  }
  if (name === "@last") return { set: await setOf(client, name, io) };
  const sets = await setsLike(client, name);
  if (sets.includes(name)) return { set: name };
  const tasks = await tasksCalled(client, name);
  const found: Named[] = [...sets.map((set) => ({ set })), ...tasks.map((task) => ({ task }))];
  return only(found, name, io);
}

/** Finds a task. */
export async function resolveTask(client: BerthClient, name: string, io: Io): Promise<string> {
  if (name.includes("/")) return ((await resolve(client, name, io)) as { task: string }).task;
  const tasks = await tasksCalled(client, name);
  const { task } = only(
    tasks.map((each) => ({ task: each })),
    name,
    io,
  ) as { task: string };
  return task;
}

/** Finds a set: by its id, by the beginning of its id, or as `@last`. */
export async function setOf(client: BerthClient, name: string, io: Io): Promise<string> {
  if (name === "@last") {
    const last = lastSet(client, io.environment);
    if (last === undefined)
      throw new UsageError(
        `@last: you haven't submitted anything to this Berth yet; \`${hint(io, "sets")}\` shows what there is`,
        1,
      );
    return last;
  }
  const sets = await setsLike(client, name);
  if (sets.includes(name)) return name;
  return (
    only(
      sets.map((set) => ({ set })),
      name,
      io,
    ) as { set: string }
  ).set;
}

/** Sets that begin so, an exact one alone. */
async function setsLike(client: BerthClient, name: string): Promise<string[]> {
  // What can't begin a set's id needs no question; an id may be a task's then.
  if (!isName(name)) return [];
  const exact = await client.registry.getTaskSet({ set: name }).catch(() => undefined);
  if (exact?.taskSet !== undefined) return [name];
  const { taskSets } = await client.registry.listTaskSets({ prefix: name, pageSize: candidatesMost + 1 });
  return taskSets.map(({ set }) => set);
}

async function tasksCalled(client: BerthClient, id: string): Promise<string[]> {
  if (!isName(id, taskIdPattern)) return [];
  const { tasks } = await client.registry.listTasks({ filter: { ids: [id] }, pageSize: candidatesMost + 1 });
  return tasks.map(({ task }) => task);
}

function only(found: readonly Named[], name: string, io: Io): Named {
  const [first] = found;
  if (first === undefined)
    throw new UsageError(
      `there is no task or set "${name}", nor a set whose id begins with it; nothing was changed. \`${hint(io, "sets")}\` and \`${hint(io, "tasks")}\` show what there is`,
      1,
    );
  if (found.length === 1) return first;
  const shown = found.slice(0, candidatesMost).map((each) => ("set" in each ? `set ${each.set}` : each.task));
  const more = found.length > candidatesMost ? " and more" : "";
  throw new UsageError(`"${name}" may be ${shown.join(", ")}${more}: say which`, 1);
}
