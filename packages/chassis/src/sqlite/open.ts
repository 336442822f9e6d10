import Database from "libsql";
import { type Migration, stepsFrom } from "../engine/schema.js";
import { backUp } from "./back-up.js";
import { inTransaction } from "./transaction.js";
import { storeTrouble } from "./trouble.js";

/** An open SQLite database: `libsql`, which has better-sqlite3's interface. Everything is synchronous. */
export type SqliteDatabase = Database.Database;

/** Milliseconds to wait for a lock that another connection of this process holds. */
const busyTimeoutMs = 2_000;

/**
 * Opens a database file so that what is committed survives a power loss as far as the disk keeps its word (WAL, synchronous=FULL),
 * and brings its schema up to date.
 *
 * @throws SchemaTooNew if the file was written by a newer version of the program; it is left untouched.
 * @throws StoreUnusable naming the file if it is damaged, can't be opened or written.
 */
export function openSqlite(
  path: string,
  migrations: readonly Migration[],
  options: { synchronous?: "FULL" | "NORMAL" } = {},
): SqliteDatabase {
  const database = open(path);
  try {
    // Nothing is written into a file of a newer program.
    const version = userVersion(database);
    const steps = stepsFrom(version, migrations, path);
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${options.synchronous ?? "FULL"}`);
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
    database.pragma("foreign_keys = ON");
    // Pages that many commits touch go from the log into the file once in 16 MiB, not in 4; and indexes of a busy day stay in memory.
    database.pragma("wal_autocheckpoint = 4000");
    database.pragma("cache_size = -16384");
    migrate(database, steps, version, path);
    return database;
  } catch (error) {
    database.close();
    throw storeTrouble(path, error);
  }
}

function open(path: string): SqliteDatabase {
  try {
    return new Database(path);
  } catch (error) {
    throw storeTrouble(path, error);
  }
}

/** All steps in one transaction: the file is at the old version or at the newest, never between. */
function migrate(database: SqliteDatabase, steps: readonly Migration[], version: number, path: string): void {
  const newest = steps.at(-1)?.version;
  if (newest === undefined) return;
  if (version > 0) backUp(database, path, `${path}.before-v${newest}`);
  inTransaction(database, () => {
    for (const { sql } of steps) database.exec(sql);
    database.pragma(`user_version = ${newest}`);
  });
}

function userVersion(database: SqliteDatabase): number {
  const row = database.prepare("PRAGMA user_version").get() as { user_version: number };
  return row.user_version;
}
