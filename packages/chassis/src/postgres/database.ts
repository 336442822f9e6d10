import pg from "pg";
import { type Migration, SchemaTooNew } from "../engine/schema.js";
import { connectionConfig, placeOf, type Timeouts } from "./connect.js";
import { asDatabaseError, asUnusable, DatabaseUnusable } from "./errors.js";
import { migrate } from "./migrate.js";
import { ask, type Run, Session, type Statement } from "./session.js";
import type { PostgresTarget } from "./target.js";

const writing: Timeouts = { statementMs: 30_000, lockMs: 2_000, idleInTransactionMs: 2_000 };
// A reader locks nothing, and between two statements of a snapshot it may take apart many rows.
const reading: Timeouts = { statementMs: 60_000, lockMs: 2_000, idleInTransactionMs: 60_000 };
const migrating: Timeouts = { statementMs: 0, lockMs: 60_000, idleInTransactionMs: 10_000 };

const readersMax = 4;
const readerIdleMs = 30_000;

/** A schema of a PostgreSQL database: one connection for each purpose of writing, a few for reading. */
export class PostgresDatabase {
  private readonly target: PostgresTarget;
  private readonly readers: pg.Pool;
  private readonly sessions: Session[] = [];
  private closed: Promise<void> | undefined;

  /** Use {@link openPostgres}. */
  constructor(target: PostgresTarget) {
    this.target = target;
    this.readers = new pg.Pool({
      ...connectionConfig(target, "reads", reading),
      max: readersMax,
      idleTimeoutMillis: readerIdleMs,
    });
    // A connection that breaks while it idles is taken out by the pool; without a listener it would end the process.
    this.readers.on("error", () => undefined);
  }

  /** A connection of its own for writing. `purpose` shows in pg_stat_activity. */
  session(purpose: string): Session {
    const session = new Session(connectionConfig(this.target, purpose, writing));
    this.sessions.push(session);
    return session;
  }

  /** Runs one statement that reads. Rejects with DatabaseError. */
  async read<Row>(statement: Statement): Promise<Row[]> {
    return this.withReader((client) => ask<Row>(client, statement));
  }

  /** Runs several that read, all as of one moment. */
  async snapshot<Value>(work: (run: Run) => Promise<Value>): Promise<Value> {
    return this.withReader(async (client) => {
      await ask(client, { text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" });
      const value = await work((statement) => ask(client, statement));
      await ask(client, { text: "COMMIT" });
      return value;
    });
  }

  /** Closes every connection. Safe to call twice. */
  close(): Promise<void> {
    this.closed ??= Promise.all([this.readers.end(), ...this.sessions.map((session) => session.close())]).then(
      () => undefined,
    );
    return this.closed;
  }

  private async withReader<Value>(work: (client: pg.PoolClient) => Promise<Value>): Promise<Value> {
    const client = await this.readers.connect().catch((error: unknown) => {
      throw asDatabaseError(error);
    });
    try {
      const value = await work(client);
      client.release();
      return value;
    } catch (error) {
      // Whatever it was in the middle of: the pool makes another one.
      client.release(true);
      throw error;
    }
  }
}

/**
 * Opens a schema, which is made and brought up to date.
 *
 * @throws DatabaseUnusable saying why and what to do, and SchemaTooNew if it was written by a newer version of the program.
 */
export async function openPostgres(
  target: PostgresTarget,
  migrations: readonly Migration[],
): Promise<PostgresDatabase> {
  const client = new pg.Client(connectionConfig(target, "migration", migrating));
  client.on("error", () => undefined);
  const place = placeOf(client);
  try {
    await client.connect();
    await migrate(client, target.schema, migrations, place);
  } catch (error) {
    if (error instanceof SchemaTooNew || error instanceof DatabaseUnusable) throw error;
    throw asUnusable(error, place, target.schema);
  } finally {
    await client.end().catch(() => undefined);
  }
  return new PostgresDatabase(target);
}
