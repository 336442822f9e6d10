import { toColumn } from "@berth/chassis/postgres";
import type { Filter } from "../domain/commands.js";

/** What {@link taskColumns} gives, as the columns hold it. */
export interface TaskColumns {
  readonly ord: number;
  readonly key: string;
  readonly tenant: string;
  readonly header: string;
  readonly body: string;
}

/** The columns that a task is made of. */
export const taskColumns = "ord, key, tenant, header, body";

/** A filter as further conditions, with its values behind those that are there already. */
export function where(filter: Filter, before: readonly unknown[]): { sql: string; values: unknown[] } {
  const parts: string[] = [];
  const values = [...before];
  const add = (value: unknown, condition: (mark: string) => string): void => {
    values.push(value);
    parts.push(` AND ${condition(`$${values.length}`)}`);
  };
  if (filter.set !== "") add(toColumn(filter.set), (mark) => `set_id = ${mark}`);
  if (filter.tenant !== "") add(toColumn(filter.tenant), (mark) => `tenant = ${mark}`);
  if (filter.states.length > 0) add(filter.states, (mark) => `state = ANY (${mark}::text[])`);
  if (filter.keys.length > 0) add(filter.keys.map(toColumn), (mark) => `key = ANY (${mark}::text[])`);
  if (filter.ids.length > 0)
    add(filter.ids.map(toColumn), (mark) => `substr(key, length(set_id) + 2) = ANY (${mark}::text[])`);
  // json and not jsonb, which takes no NUL in any of its texts.
  for (const [name, value] of Object.entries(filter.labels)) {
    values.push(name);
    add(value, (mark) => `header::json -> 'labels' ->> $${values.length - 1}::text = ${mark}::text`);
  }
  if (filter.pool !== "") add(toColumn(filter.pool), (mark) => `(pool = ${mark} OR ${mark} = ANY (pools))`);
  return { sql: parts.join(""), values };
}
