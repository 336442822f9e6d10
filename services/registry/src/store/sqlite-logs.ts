import type { Migration } from "@berth/chassis/engine";
import { inTransaction, openSqlite, type SqliteDatabase } from "@berth/chassis/sqlite";
import type { LogPiece, LogStore, LogTotals } from "../engine/logs.js";
import { headMax, type Kept, nothingKept, split, tailMax } from "./log-cut.js";

const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE pieces (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, attempt INTEGER NOT NULL, at INTEGER NOT NULL, stderr INTEGER NOT NULL, data BLOB NOT NULL,
        UNIQUE (key, attempt, at)
      ) STRICT;
      CREATE TABLE attempts (
        key TEXT NOT NULL, attempt INTEGER NOT NULL, next_at INTEGER NOT NULL, head INTEGER NOT NULL, tail INTEGER NOT NULL,
        PRIMARY KEY (key, attempt)
      ) STRICT;
    `,
  },
];

/** Output in its own SQLite file: head and tail of each attempt. A kill loses nothing that was acknowledged; a power loss may cost the last moments. */
export class SqliteLogStore implements LogStore {
  private closed = false;
  private readonly database: SqliteDatabase;
  private readonly statements;

  constructor(path: string) {
    this.database = openSqlite(path, migrations, { synchronous: "NORMAL" });
    const prepare = (sql: string) => this.database.prepare(sql);
    this.statements = {
      attempt: prepare("SELECT next_at AS nextAt, head, tail FROM attempts WHERE key = ? AND attempt = ?"),
      put: prepare("INSERT OR REPLACE INTO attempts (key, attempt, next_at, head, tail) VALUES (?, ?, ?, ?, ?)"),
      insert: prepare("INSERT OR IGNORE INTO pieces (key, attempt, at, stderr, data) VALUES (?, ?, ?, ?, ?)"),
      oldest: prepare(
        "SELECT id, length(data) AS bytes FROM pieces WHERE key = ? AND attempt = ? AND at >= ? ORDER BY at LIMIT 1",
      ),
      remove: prepare("DELETE FROM pieces WHERE id = ?"),
      read: prepare(
        "SELECT at, stderr, data FROM pieces WHERE key = ? AND attempt = ? AND at >= ? ORDER BY at LIMIT ?",
      ),
      removePieces: prepare("DELETE FROM pieces WHERE key = ?"),
      removeAttempts: prepare("DELETE FROM attempts WHERE key = ?"),
    };
  }

  async append(pieces: readonly LogPiece[], limitOf: (key: string) => number): Promise<void> {
    inTransaction(this.database, () => {
      for (const piece of pieces) this.appendOne(piece, limitOf(piece.key));
    });
  }

  async totals(key: string, attempt: number): Promise<LogTotals | undefined> {
    const kept = this.statements.attempt.get(key, attempt) as Kept | undefined;
    return kept && { nextOffset: kept.nextAt, keptBytes: kept.head + kept.tail };
  }

  async read(key: string, attempt: number, fromOffset: number, max: number): Promise<LogPiece[]> {
    const rows = this.statements.read.all(key, attempt, fromOffset, max) as {
      at: number;
      stderr: number;
      data: Uint8Array | ArrayBuffer;
    }[];
    // libsql gives a BLOB as an ArrayBuffer, which has no `length`.
    return rows.map(({ at, stderr, data }) => ({
      key,
      attempt,
      offset: at,
      data: new Uint8Array(data),
      stderr: stderr === 1,
    }));
  }

  async remove(keys: readonly string[]): Promise<void> {
    inTransaction(this.database, () => {
      for (const key of keys) {
        this.statements.removePieces.run(key);
        this.statements.removeAttempts.run(key);
      }
    });
  }

  async close(): Promise<void> {
    if (!this.closed) this.database.close();
    this.closed = true;
  }

  private appendOne(piece: LogPiece, limitBytes: number): void {
    const { statements } = this;
    const { key, attempt, stderr } = piece;
    const before = (statements.attempt.get(key, attempt) as Kept | undefined) ?? nothingKept;
    const { parts, kept } = split(before, piece, limitBytes);
    if (parts.length === 0) return;
    for (const { at, data } of parts) statements.insert.run(key, attempt, at, stderr ? 1 : 0, data);
    let { tail } = kept;
    while (tail > tailMax(limitBytes)) {
      const oldest = statements.oldest.get(key, attempt, headMax(limitBytes)) as
        | { id: number; bytes: number }
        | undefined;
      // The newest piece stays, even if it alone is too large: there must be a tail.
      if (!oldest || oldest.bytes === tail) break;
      statements.remove.run(oldest.id);
      tail -= oldest.bytes;
    }
    statements.put.run(key, attempt, kept.nextAt, kept.head, tail);
  }
}
