import { registry } from "@berth/contracts";
import { withClient } from "../connection.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, printJson, say } from "../io.js";
import type { GlobalOptions } from "../places.js";

interface Selection {
  readonly set?: string;
}

function selected(ids: readonly string[], options: Selection, states: registry.Task_State[] = []): registry.TaskFilter {
  const sets = ids.filter((id) => !id.includes("/"));
  const tasks = ids.filter((id) => id.includes("/"));
  if (options.set !== undefined) sets.push(options.set);
  if (sets.length > 1 || (sets.length === 1 && tasks.length > 0))
    throw new UsageError("name either tasks (SET/TASK) or one set");
  return registry.TaskFilter.fromPartial({ set: sets[0] ?? "", tasks, states });
}

/** A misspelt id would otherwise look like success. */
function nothingThere({ set, tasks }: registry.TaskFilter, io: Io): UsageError {
  const what = set === "" ? `task ${tasks.join(", ")}` : `task set ${set}, or it is empty`;
  return new UsageError(
    `there is no ${what}; nothing was changed. \`${hint(io, "sets")}\` and \`${hint(io, "tasks")}\` show what there is`,
    1,
  );
}

/** `berth cancel`. */
export function cancel(
  ids: readonly string[],
  options: GlobalOptions & Selection & { reason: string },
  io: Io,
): Promise<number> {
  const filter = selected(ids, options);
  if (filter.set === "" && filter.tasks.length === 0)
    throw new UsageError(`name tasks (SET/TASK) or a set: ${hint(io, "cancel SET")}`);
  return withClient(options, io, async (client) => {
    const answer = await client.cancel(filter, options.reason);
    if (answer.cancelledCount + answer.finalCount === 0) throw nothingThere(filter, io);
    if (options.json === true) printJson(io, answer);
    else say(io, `${answer.cancelledCount} cancelled or being cancelled, ${answer.finalCount} were final before`);
    return 0;
  });
}

/** `berth retry`. Without ids, `--failed` takes the failed tasks of `--set`, or of every set that has some. */
export function retry(
  ids: readonly string[],
  options: GlobalOptions & Selection & { failed?: boolean },
  io: Io,
): Promise<number> {
  const failed = options.failed === true ? [registry.Task_State.FAILED] : [];
  const filter = selected(ids, options, failed);
  const everywhere = filter.set === "" && filter.tasks.length === 0;
  if (everywhere && options.failed !== true)
    throw new UsageError(`name tasks (SET/TASK), a set, or --failed: ${hint(io, "retry SET --failed")}`);
  return withClient(options, io, async (client) => {
    const total = { retriedCount: 0, ignoredCount: 0 };
    const filters = everywhere ? await perSet() : [filter];
    for (const each of filters) {
      const answer = await client.retry(each);
      total.retriedCount += answer.retriedCount;
      total.ignoredCount += answer.ignoredCount;
    }
    if (!everywhere && options.failed !== true && total.retriedCount + total.ignoredCount === 0)
      throw nothingThere(filter, io);
    if (options.json === true) printJson(io, total);
    else
      say(
        io,
        `${total.retriedCount === 1 ? "1 task begins" : `${total.retriedCount} tasks begin`} anew${total.ignoredCount > 0 ? `, ${total.ignoredCount} left as they are (only failed, cancelled and skipped ones can be retried)` : ""}`,
      );
    return 0;

    async function perSet(): Promise<registry.TaskFilter[]> {
      const sets = new Set<string>();
      for await (const task of client.tasks({ states: failed })) sets.add(task.task.split("/")[0] ?? "");
      return [...sets].map((set) => registry.TaskFilter.fromPartial({ set, states: failed }));
    }
  });
}
