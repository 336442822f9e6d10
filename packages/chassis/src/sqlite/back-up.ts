import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { describe } from "../errors/index.js";
import type { SqliteDatabase } from "./open.js";

/**
 * Copies a database, as it is at this moment, into a file of its own that is complete and on the disk when it has its name. An earlier file of
 * that name is replaced: it is from an attempt at the same migration, and what was written since isn't in it.
 *
 * @throws Error naming both files and what to do; the database is untouched.
 */
export function backUp(database: SqliteDatabase, from: string, to: string): void {
  const partial = `${to}.partial`;
  try {
    rmSync(partial, { force: true, recursive: true });
    database.prepare("VACUUM INTO ?").run(partial);
    // VACUUM INTO doesn't wait for the disk.
    sync(partial);
    renameSync(partial, to);
    sync(dirname(to));
  } catch (error) {
    rmSync(partial, { force: true, recursive: true });
    const why = describe(error);
    throw new Error(
      `${from} must be migrated, and couldn't be copied to ${to} before: ${why}. Nothing was changed; make room for the copy and start again`,
      { cause: error },
    );
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
