import pg from "pg";
import type { Place } from "./errors.js";
import type { PostgresTarget } from "./target.js";

/** Time-outs of a connection, milliseconds; 0 for none. */
export interface Timeouts {
  /** Longest statement. */
  readonly statementMs: number;
  /** Longest wait for a lock. */
  readonly lockMs: number;
  /** Longest pause inside a transaction: a process that stopped there must not hold what it has locked. */
  readonly idleInTransactionMs: number;
}

/** Longest wait for a connection. */
const connectMs = 5_000;
/** Silence after which the system asks whether the other side is still there. */
const keepAliveMs = 10_000;
/** What the server is given beyond its own time-outs before a call counts as lost. */
const graceMs = 5_000;

const int8 = 20;

/** Settings of a connection that works in the schema of a target. `purpose` shows in pg_stat_activity. */
export function connectionConfig(target: PostgresTarget, purpose: string, timeouts: Timeouts): pg.ClientConfig {
  return {
    connectionString: target.url.reveal(),
    application_name: `berth ${target.service} ${purpose}`,
    // Durability isn't a matter of the server's mood: what was acknowledged must survive.
    options: `-c search_path=${quoted(target.schema)} -c synchronous_commit=on -c jit=off`,
    statement_timeout: timeouts.statementMs,
    lock_timeout: timeouts.lockMs,
    idle_in_transaction_session_timeout: timeouts.idleInTransactionMs,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    ...(timeouts.statementMs === 0 ? {} : { query_timeout: timeouts.statementMs + graceMs }),
    types: { getTypeParser },
  };
}

/** A name for SQL, whatever word it is. The setting `databaseSchema` lets no quote in. */
export function quoted(schema: string): string {
  return `"${schema}"`;
}

/** Where a connection leads. */
export function placeOf({ host, port, database, user }: pg.Client): Place {
  return { host, port, database: database ?? "", user: user ?? "" };
}

/** Numbers are numbers here; one that isn't exact any more is an error rather than another number. */
function exactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`${text} is beyond ±2^53, the largest number that this program holds exactly`);
  return value;
}

function getTypeParser(oid: number, format?: "text" | "binary"): (text: string) => unknown {
  if (oid === int8 && format !== "binary") return exactNumber;
  return pg.types.getTypeParser(oid, format as "text");
}
