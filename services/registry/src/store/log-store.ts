import type { Migration } from "@berth/chassis/engine";
import { openSqlite, type SqliteDatabase } from "@berth/chassis/sqlite";

/** A piece of output. */
export interface LogPiece {
  readonly key: string;
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly stderr: boolean;
}

/** What is kept of one attempt's output. */
export interface LogTotals {
  /** Offset behind the last byte that came. */
  readonly nextOffset: number;
  /** Bytes that are kept. */
  readonly keptBytes: number;
}

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

interface AttemptRow {
  next_at: number;
  head: number;
  tail: number;
}

/** Output in its own SQLite file: head and tail of each attempt. A kill loses nothing that was acknowledged; a power loss may cost the last moments. */
export class LogStore {
  private readonly database: SqliteDatabase;
  private readonly statements;

  constructor(path: string) {
    this.database = openSqlite(path, migrations, { synchronous: "NORMAL" });
    const prepare = (sql: string) => this.database.prepare(sql);
    this.statements = {
      attempt: prepare("SELECT next_at, head, tail FROM attempts WHERE key = ? AND attempt = ?"),
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

  /**
   * Appends pieces, oldest first within their attempt. A repeat, or the part of a piece that came before, is cut away. `limitOf` says how many
   * bytes are kept of an attempt: the first half of them from its beginning, the rest from its end.
   */
  append(pieces: readonly LogPiece[], limitOf: (key: string) => number): void {
    this.database.transaction(() => {
      for (const piece of pieces) this.appendOne(piece, limitOf(piece.key));
    })();
  }

  /** What is kept of an attempt; undefined if it never wrote. */
  totals(key: string, attempt: number): LogTotals | undefined {
    const row = this.statements.attempt.get(key, attempt) as AttemptRow | undefined;
    return row && { nextOffset: row.next_at, keptBytes: row.head + row.tail };
  }

  /** Pieces from an offset on, in order. */
  read(key: string, attempt: number, fromOffset: number, max: number): LogPiece[] {
    const rows = this.statements.read.all(key, attempt, fromOffset, max) as {
      at: number;
      stderr: number;
      data: Uint8Array;
    }[];
    return rows.map(({ at, stderr, data }) => ({ key, attempt, offset: at, data, stderr: stderr === 1 }));
  }

  /** Deletes the output of tasks. */
  remove(keys: readonly string[]): void {
    this.database.transaction(() => {
      for (const key of keys) {
        this.statements.removePieces.run(key);
        this.statements.removeAttempts.run(key);
      }
    })();
  }

  /** Closes the file. */
  close(): void {
    this.database.close();
  }

  private appendOne({ key, attempt, offset, data, stderr }: LogPiece, limitBytes: number): void {
    const { statements } = this;
    const row = (statements.attempt.get(key, attempt) as AttemptRow | undefined) ?? { next_at: 0, head: 0, tail: 0 };
    const skip = Math.max(0, row.next_at - offset);
    if (skip >= data.length) return;
    const headMax = Math.floor(limitBytes / 2);
    let at = offset + skip;
    let rest = Buffer.from(data.buffer, data.byteOffset + skip, data.length - skip);
    const end = offset + data.length;
    if (at < headMax) {
      const part = rest.subarray(0, headMax - at);
      statements.insert.run(key, attempt, at, stderr ? 1 : 0, part);
      row.head += part.length;
      at += part.length;
      rest = rest.subarray(part.length);
    }
    if (rest.length > 0) {
      statements.insert.run(key, attempt, at, stderr ? 1 : 0, rest);
      row.tail += rest.length;
      while (row.tail > limitBytes - headMax) {
        const oldest = statements.oldest.get(key, attempt, headMax) as { id: number; bytes: number } | undefined;
        // The newest piece stays, even if it alone is too large: there must be a tail.
        if (!oldest || oldest.bytes === row.tail) break;
        statements.remove.run(oldest.id);
        row.tail -= oldest.bytes;
      }
    }
    statements.put.run(key, attempt, end, row.head, row.tail);
  }
}
