import Database from "libsql";
import { type Migration, stepsFrom } from "../engine/schema.js";
import { backUp } from "./back-up.js";

/** An open SQLite database: `libsql`, which has better-sqlite3's interface. Everything is synchronous. */
export type SqliteDatabase = Database.Database;

/** Milliseconds to wait for a lock that another connection of this process holds. */
const busyTimeoutMs = 2_000;

/**
 * Opens a database file so that what is committed survives a power loss as far as the disk keeps its word (WAL, synchronous=FULL),
 * and brings its schema up to date.
 *
 * @throws SchemaTooNew if the file was written by a newer version of the program; it is left untouched.
 */
export function openSqlite(
  path: string,
  migrations: readonly Migration[],
  options: { synchronous?: "FULL" | "NORMAL" } = {},
): SqliteDatabase {
  const database = new Database(path);
  try {
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${options.synchronous ?? "FULL"}`);
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
    database.pragma("foreign_keys = ON");
    migrate(database, migrations, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** All steps in one transaction: the file is at the old version or at the newest, never between. */
function migrate(database: SqliteDatabase, migrations: readonly Migration[], path: string): void {
  const version = userVersion(database);
  const steps = stepsFrom(version, migrations, path);
  const newest = steps.at(-1)?.version;
  if (newest === undefined) return;
  if (version > 0) backUp(database, path, `${path}.before-v${newest}`);
  database.transaction(() => {
    for (const { sql } of steps) database.exec(sql);
    database.pragma(`user_version = ${newest}`);
  })();
}

function userVersion(database: SqliteDatabase): number {
  const row = database.prepare("PRAGMA user_version").get() as { user_version: number };
  return row.user_version;
}
