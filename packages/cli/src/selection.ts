// Which tasks a command is about: names, or flags that choose, or both (then the flags narrow what the names mean).
import type { BerthClient } from "@berth/client";
import { registry } from "@berth/contracts";
import { pairFlags } from "./arguments.js";
import { UsageError } from "./errors.js";
import type { Io } from "./io.js";
import { resolve, setOf } from "./naming.js";
import { parseStates, stateWords } from "./states.js";

/** Flags that choose tasks. */
export interface FilterOptions {
  readonly set?: string;
  readonly state?: string;
  readonly pool?: string;
  readonly tenant?: string;
  readonly label?: string[];
}

/** The filter that flags describe, without the set. */
export function filterFrom(options: FilterOptions): registry.TaskFilter {
  const states = options.state === undefined ? [] : parseStates(options.state);
  if (states === undefined)
    throw new UsageError(`--state: "${options.state}" isn't a list of states; they are ${stateWords.join(", ")}`);
  return registry.TaskFilter.fromPartial({
    states,
    pool: options.pool ?? "",
    tenant: options.tenant ?? "",
    labels: pairFlags("--label", options.label ?? []),
  });
}

/** True if the flags choose tasks by themselves. */
export function choosesBy({ states, pool, tenant, labels }: registry.TaskFilter): boolean {
  return states.length > 0 || pool !== "" || tenant !== "" || Object.keys(labels).length > 0;
}

/** The filter for what was named: one set, or tasks. */
export async function named(
  client: BerthClient,
  names: readonly string[],
  options: FilterOptions,
  io: Io,
): Promise<registry.TaskFilter> {
  const filter = filterFrom(options);
  const found = [];
  for (const name of names) found.push(await resolve(client, name, io));
  const sets = found.flatMap((each) => ("set" in each ? [each.set] : []));
  const tasks = found.flatMap((each) => ("task" in each ? [each.task] : []));
  if (options.set !== undefined) sets.push(await setOf(client, options.set, io));
  if (sets.length > 1 || (sets.length === 1 && tasks.length > 0))
    throw new UsageError("name either tasks (SET/TASK) or one set");
  return { ...filter, set: sets[0] ?? "", tasks };
}
