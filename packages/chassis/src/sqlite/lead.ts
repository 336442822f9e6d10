import { CommitRefused, type JournalRow, LeadLost, type LeadPosition } from "../engine/port.js";
import type { SqliteDatabase } from "./open.js";
import { storeTrouble } from "./trouble.js";

/** The leader row and the journal of one service in SQLite. Callers bring the transaction. */
export class SqliteLead {
  /** Statements of a migration that makes both tables. */
  static readonly sql = `
    CREATE TABLE leader (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      epoch INTEGER NOT NULL,
      n INTEGER NOT NULL,
      replay_from INTEGER NOT NULL,
      holder TEXT NOT NULL
    ) STRICT;
    INSERT INTO leader (id, epoch, n, replay_from, holder) VALUES (1, 0, 0, 1, '');
    CREATE TABLE journal (
      n INTEGER PRIMARY KEY,
      epoch INTEGER NOT NULL,
      wall_ms INTEGER NOT NULL,
      changes TEXT NOT NULL
    ) STRICT;
  `;

  private readonly statements;

  constructor(database: SqliteDatabase) {
    this.statements = {
      take: database.prepare(
        "UPDATE leader SET epoch = epoch + 1, holder = ?1 WHERE id = 1 AND epoch = coalesce(?2, epoch) RETURNING epoch, n, holder, replay_from AS replayFrom",
      ),
      resign: database.prepare("UPDATE leader SET holder = '' WHERE id = 1 AND epoch = ?"),
      move: database.prepare("UPDATE leader SET n = ?, replay_from = ? WHERE id = 1 AND epoch = ? AND n = ?"),
      position: database.prepare("SELECT epoch, n, holder, replay_from AS replayFrom FROM leader WHERE id = 1"),
      append: database.prepare("INSERT INTO journal (n, epoch, wall_ms, changes) VALUES (?, ?, ?, ?)"),
      from: database.prepare("SELECT n, wall_ms AS wallMs, changes FROM journal WHERE n >= ? ORDER BY n LIMIT ?"),
      first: database.prepare("SELECT min(n) AS n FROM journal"),
      prune: database.prepare("DELETE FROM journal WHERE n IN (SELECT n FROM journal WHERE n < ? ORDER BY n LIMIT ?)"),
    };
  }

  /** Takes the leadership: the epoch grows by one, the number of the last commit stays. @throws LeadLost if the epoch isn't `seen`. */
  take(holder: string, seen?: number): LeadPosition {
    const taken = this.statements.take.get(holder, seen ?? null) as LeadPosition | undefined;
    if (taken) return taken;
    const { epoch, holder: other } = this.position();
    throw new LeadLost(`the leader row is at epoch ${epoch} (${other}), no longer at ${seen}`);
  }

  /** Empties the holder, if the row is at this epoch. */
  resign(epoch: number): void {
    this.statements.resign.run(epoch);
  }

  /** Moves the row from (epoch, n - 1) to (epoch, n). @throws LeadLost if it stands elsewhere. */
  move(epoch: number, n: number, replayFrom: number): void {
    const { changes } = this.statements.move.run(n, replayFrom, epoch, n - 1);
    if (changes !== 1) {
      const at = this.position();
      throw new LeadLost(`the leader row is at (${at.epoch}, ${at.n}), not at (${epoch}, ${n - 1})`);
    }
  }

  /** Reads the row. */
  position(): LeadPosition {
    return this.statements.position.get() as LeadPosition;
  }

  /** Appends the changes of commit `n`. */
  append(n: number, epoch: number, wallMs: number, changes: string): void {
    this.statements.append.run(n, epoch, Math.round(wallMs), changes);
  }

  /** Commits from `n` on, oldest first, at most `max`. */
  from(n: number, max = Number.MAX_SAFE_INTEGER): JournalRow[] {
    return this.statements.from.all(n, max) as JournalRow[];
  }

  /** Number of the oldest commit that the journal has; undefined if it is empty. */
  first(): number | undefined {
    return (this.statements.first.get() as { n: number | null }).n ?? undefined;
  }

  /** Deletes commits before `n`, at most `max` at a time, so that the transaction stays short. Returns how many went. */
  prune(n: number, max = 500): number {
    return this.statements.prune.run(n, max).changes;
  }
}

/**
 * Turns an error of SQLite into what the engine understands: a broken constraint is a refusal, anything else is a doubt, in words
 * that name the file at `path`.
 */
export function asCommitError(path: string, error: unknown): unknown {
  if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_CONSTRAINT")) {
    return new CommitRefused(error.message, { cause: error });
  }
  return storeTrouble(path, error);
}
