import type { Filter } from "./commands.js";
import type { TaskSnapshot } from "./task.js";

/** A filter made ready for many tasks. */
export function matcher(filter: Filter): (task: Pick<TaskSnapshot, "header" | "status">) => boolean {
  const states = new Set<string>(filter.states);
  const keys = new Set(filter.keys);
  const ids = new Set(filter.ids);
  const labels = Object.entries(filter.labels);
  return ({ header, status }) =>
    (filter.set === "" || header.set === filter.set) &&
    (states.size === 0 || states.has(status.state)) &&
    (filter.tenant === "" || header.tenant === filter.tenant) &&
    (keys.size === 0 || keys.has(header.key)) &&
    (ids.size === 0 || ids.has(header.id)) &&
    labels.every(([name, value]) => header.labels[name] === value) &&
    (filter.pool === "" || status.pool === filter.pool || header.pools.includes(filter.pool));
}
