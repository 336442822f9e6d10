import Database from "libsql";
import { inTransaction } from "./transaction.js";
import { storeTrouble } from "./trouble.js";

/** An open SQLite database: `libsql`, which has better-sqlite3's interface. Everything is synchronous. */
export type SqliteDatabase = Database.Database;

/** One step forward of a schema. */
export interface Migration {
  /** 1 and more, growing by one. */
  readonly version: number;
  /** Statements, run in one transaction. Never changed once released. */
  readonly sql: string;
}

/** Milliseconds to wait for a lock that another connection of this process holds. */
const busyTimeoutMs = 2_000;

/**
 * Opens a database file so that what is committed survives a power loss as far as the disk keeps its word (WAL, synchronous=FULL),
 * and brings its schema up to date.
 *
 * @throws Error if the file was written by a newer version of the program; it is left untouched.
 * @throws StoreUnusable naming the file if it is damaged, can't be opened or written.
 */
export function openSqlite(
  path: string,
  migrations: readonly Migration[],
  options: { synchronous?: "FULL" | "NORMAL" } = {},
): SqliteDatabase {
  const database = open(path);
  try {
    refuseNewer(database, migrations, path);
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${options.synchronous ?? "FULL"}`);
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
    database.pragma("foreign_keys = ON");
    // Pages that many commits touch go from the log into the file once in 16 MiB, not in 4; and indexes of a busy day stay in memory.
    database.pragma("wal_autocheckpoint = 4000");
    database.pragma("cache_size = -16384");
    migrate(database, migrations);
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

function refuseNewer(database: SqliteDatabase, migrations: readonly Migration[], path: string): void {
  const newest = migrations.at(-1)?.version ?? 0;
  const version = userVersion(database);
  if (version > newest) {
    throw new Error(
      `${path} has schema version ${version}, this program knows up to ${newest}: start a program at least as new as the one that wrote it`,
    );
  }
}

function migrate(database: SqliteDatabase, migrations: readonly Migration[]): void {
  const version = userVersion(database);
  for (const migration of migrations) {
    if (migration.version <= version) continue;
    inTransaction(database, () => {
      database.exec(migration.sql);
      database.pragma(`user_version = ${migration.version}`);
    });
  }
}

function userVersion(database: SqliteDatabase): number {
  const row = database.prepare("PRAGMA user_version").get() as { user_version: number };
  return row.user_version;
}
