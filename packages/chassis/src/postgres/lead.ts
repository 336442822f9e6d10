import { type JournalRow, LeadLost, type LeadPosition } from "../engine/port.js";
import type { PostgresDatabase } from "./database.js";
import { asCommitError, DatabaseError } from "./errors.js";
import type { Run, Session } from "./session.js";
import { fromColumn, toColumn } from "./text.js";

/** What a commit has in common whatever the service. */
interface CommitHead {
  readonly epoch: number;
  readonly n: number;
  readonly replayFrom: number;
  readonly wallMs: number;
}

const lockNotAvailable = "55P03";
const row = `epoch, n, holder, replay_from AS "replayFrom"`;

/**
 * The leader row and the journal of one service in PostgreSQL, on one connection of their own. A commit is one statement: it can't be
 * stopped half-way with the row locked, however the process that sent it is.
 */
export class PostgresLead {
  /** Statements of a migration that makes both tables. */
  static readonly sql = `
    CREATE TABLE leader (
      id integer PRIMARY KEY CHECK (id = 1),
      epoch bigint NOT NULL,
      n bigint NOT NULL,
      replay_from bigint NOT NULL,
      holder text NOT NULL
    );
    INSERT INTO leader (id, epoch, n, replay_from, holder) VALUES (1, 0, 0, 1, '');
    CREATE TABLE journal (
      n bigint PRIMARY KEY,
      epoch bigint NOT NULL,
      wall_ms bigint NOT NULL,
      changes text NOT NULL
    );
  `;

  private readonly database: PostgresDatabase;
  private readonly session: Session;
  private epoch = 0;

  constructor(database: PostgresDatabase) {
    this.database = database;
    this.session = database.session("commits");
  }

  /**
   * A statement for {@link commit}: `parts` are further parts of its WITH, each of which must read from `moved` (it is empty when the row stands
   * elsewhere), and whose values begin at $6.
   */
  static statement(parts: string): string {
    return `WITH
      moved AS (UPDATE leader SET n = $2, replay_from = $3 WHERE id = 1 AND epoch = $1 AND n = $2 - 1 RETURNING n),
      journalled AS (INSERT INTO journal (n, epoch, wall_ms, changes) SELECT n, $1, $4, $5 FROM moved WHERE $5::text IS NOT NULL),
      ${parts}
      SELECT n FROM moved`;
  }

  /** Takes the leadership: the epoch grows by one, the number of the last commit stays. @throws LeadLost if the epoch isn't `seen`. */
  async take(holder: string, seen?: number): Promise<LeadPosition> {
    const statement = {
      text: `UPDATE leader SET epoch = epoch + 1, holder = $1 WHERE id = 1 AND epoch = coalesce($2, epoch) RETURNING ${row}`,
      values: [toColumn(holder), seen ?? null],
    };
    let taken: LeadPosition | undefined;
    try {
      [taken] = await this.session.run<LeadPosition>(statement);
    } catch (error) {
      if (!(error instanceof DatabaseError && error.code === lockNotAvailable)) throw error;
      await this.cutOff();
      [taken] = await this.session.run<LeadPosition>(statement);
    }
    if (!taken) {
      const { epoch, holder: other } = await this.position();
      throw new LeadLost(`the leader row is at epoch ${epoch} (${other}), no longer at ${seen}`);
    }
    this.epoch = taken.epoch;
    return { ...taken, holder };
  }

  /** Commits in one statement that {@link statement} made. @throws LeadLost, CommitRefused; after anything else its fate is unknown. */
  async commit(
    { epoch, n, replayFrom, wallMs }: CommitHead,
    changes: string | undefined,
    statement: { readonly name: string; readonly text: string; readonly values: readonly unknown[] },
  ): Promise<void> {
    const values = [epoch, n, replayFrom, Math.round(wallMs), changes ?? null, ...statement.values];
    let moved: unknown[];
    try {
      moved = await this.session.run({ ...statement, values });
    } catch (error) {
      throw asCommitError(error);
    }
    if (moved.length === 1) return;
    const at = await this.position();
    throw new LeadLost(`the leader row is at (${at.epoch}, ${at.n}), not at (${epoch}, ${n - 1})`);
  }

  /** Runs a statement between two commits, with the epoch that was taken as $1; it must look whether that is still the row's. */
  async aside<Row>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.session.run<Row>({ text, values: [this.epoch, ...values] });
  }

  /** Reads the row. Waits for nobody. */
  async position(run: Run = (statement) => this.database.read(statement)): Promise<LeadPosition> {
    const [position] = await run<LeadPosition>({ text: `SELECT ${row} FROM leader WHERE id = 1` });
    if (!position)
      throw new Error("the leader row is gone: somebody has deleted it, and with it what keeps two leaders apart");
    return { ...position, holder: fromColumn(position.holder) };
  }

  /** Empties the holder, if the row is at this epoch. */
  async resign(epoch: number): Promise<void> {
    await this.session.run({ text: "UPDATE leader SET holder = '' WHERE id = 1 AND epoch = $1", values: [epoch] });
  }

  /** Commits from `n` on, oldest first, at most `max`. */
  from(n: number, run: Run, max: number | null = null): Promise<JournalRow[]> {
    const text = `SELECT n, wall_ms AS "wallMs", changes FROM journal WHERE n >= $1 ORDER BY n LIMIT $2`;
    return run<JournalRow>({ text, values: [n, max] });
  }

  /** What is at rest, as of one moment at which the leadership is still the one that was taken. */
  load<Value>(read: (run: Run, at: LeadPosition) => Promise<Value>): Promise<Value> {
    return this.database.snapshot(async (run) => {
      const at = await this.position(run);
      if (at.epoch === this.epoch) return read(run, at);
      throw new LeadLost(`the leader row is at epoch ${at.epoch} (${at.holder}), no longer at ${this.epoch}`);
    });
  }

  /**
   * Ends the connections that have written the leader row in a transaction which they don't finish. Commits are single statements, so such a
   * one belongs to nobody who leads: a process stopped in the middle of sending, or a person who tried something. Another standby that waits like us is left alone.
   */
  private async cutOff(): Promise<void> {
    await this.session.run({
      text: `SELECT pg_terminate_backend(held.pid, 2000) FROM pg_locks AS held
        WHERE held.relation = 'leader'::regclass AND held.granted AND held.mode IN ('RowShareLock', 'RowExclusiveLock')
          AND held.pid <> pg_backend_pid() AND NOT EXISTS (SELECT 1 FROM pg_locks AS wanted WHERE wanted.pid = held.pid AND NOT wanted.granted)`,
    });
  }
}
