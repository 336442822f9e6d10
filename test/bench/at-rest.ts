import { join } from "node:path";
import Database from "libsql";

/** Rows that the services left in their files, counted by SQL. */
export interface AtRest {
  readonly tasks: number;
  readonly succeeded: number;
  /** Tasks with one attempt. */
  readonly attemptedOnce: number;
  readonly leases: number;
  /** Leases that ended with an outcome of their run. */
  readonly completed: number;
}

/** Reads a data folder that nobody has open. */
export function readAtRest(dataFolder: string): AtRest {
  const tasks = count(
    join(dataFolder, "registry.db"),
    `SELECT count(*) AS tasks, sum(state = 'SUCCEEDED') AS succeeded, sum(json_array_length(body, '$[1]') = 1) AS attemptedOnce FROM tasks`,
  );
  const leases = count(
    join(dataFolder, "pool-manager.db"),
    `SELECT count(*) AS leases, sum(json_extract(body, '$.reason') = 'COMPLETED') AS completed FROM lease`,
  );
  return { ...tasks, ...leases } as unknown as AtRest;
}

function count(path: string, sql: string): Record<string, number> {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare(sql).get() as Record<string, number>;
  } finally {
    database.close();
  }
}
