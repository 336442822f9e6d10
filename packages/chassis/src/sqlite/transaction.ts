import type { SqliteDatabase } from "./open.js";

/**
 * Runs `body` in a transaction that takes the write lock at its beginning: all of it or nothing.
 *
 * libsql's own `transaction()` sends ROLLBACK after every error. On a full disk SQLite has rolled back by itself by then, and the error
 * that callers saw was "no transaction is active" instead of what had happened.
 */
export function inTransaction<Result>(database: SqliteDatabase, body: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = body();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.inTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
