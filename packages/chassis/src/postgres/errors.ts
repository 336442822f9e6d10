import pg from "pg";
import { CommitRefused } from "../engine/port.js";
import { describe } from "../errors/index.js";

/** The database can't be used as it is; the message says what to do. */
export class DatabaseUnusable extends Error {
  override readonly name = "DatabaseUnusable";
}

/** A call to the database failed. Whether it took effect isn't known, unless `code` says that the server refused it. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  /** SQLSTATE of the server, or the system's name of what happened to the connection; empty if there is neither. */
  readonly code: string;
  /** True if the server answered with this error and the connection is as good as before. */
  readonly answered: boolean;

  constructor(message: string, code: string, answered = false) {
    super(message);
    this.code = code;
    this.answered = answered;
  }
}

/** An error of the driver as one of ours: short, without the objects that the driver hangs onto it, and without anybody's data. */
export function asDatabaseError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const { message, code, table, constraint } = asFields(error);
  // Too long for the driver to send: as deterministic as what the server itself says to it.
  if (error instanceof RangeError) return new DatabaseError(`PostgreSQL: ${message}`, tooLarge);
  const where = [table && `table ${table}`, constraint && `constraint ${constraint}`].filter(Boolean).join(", ");
  const answered = error instanceof pg.DatabaseError && error.severity === "ERROR";
  return new DatabaseError(`PostgreSQL: ${message}${where === "" ? "" : ` (${where})`}`, code ?? "", answered);
}

const tooLarge = "54000";

/**
 * An error of a commit as the engine understands it. The classes 23 (a broken constraint), 22 (a value that its column can't hold, which
 * SQLite's strict tables count as a broken constraint) and 54 (more than fits) are the content's fault and come again however often it is
 * sent. All else is a doubt.
 */
export function asCommitError(error: unknown): unknown {
  return error instanceof DatabaseError && /^(22|23|54)/.test(error.code)
    ? new CommitRefused(error.message, { cause: error })
    : error;
}

/** Where a connection leads; never with a password. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** `host:port/database`. */
export function placeText({ host, port, database }: Place): string {
  return `${host}:${port}/${database}`;
}

/** Why a database can't be used, and what to do, from the first error of opening it. */
export function asUnusable(error: unknown, place: Place, schema: string): DatabaseUnusable {
  const { message, code } = asFields(error);
  const advice = adviceFor(code ?? "", message, place, schema);
  return new DatabaseUnusable(`the database at ${placeText(place)} can't be used: ${advice}`, {
    cause: asDatabaseError(error),
  });
}

function adviceFor(code: string, message: string, { host, port, database, user }: Place, schema: string): string {
  switch (code) {
    case "ECONNREFUSED":
      return `nothing listens at ${host}:${port}. Start PostgreSQL, or correct host and port in \`database\``;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the host ${host} isn't known here. Correct it in \`database\``;
    case "ENOENT":
    case "EACCES":
      return `the socket ${host}, port ${port}, can't be opened (${code}). Start PostgreSQL, or correct the host in \`database\``;
    case "28P01":
    case "28000":
      return `it refuses the user ${user} (${message}). Correct user and password in \`database\`, or admit the user in pg_hba.conf`;
    case "3D000":
      return `there is no database ${database}. Make it (CREATE DATABASE "${database}" OWNER "${user}"), or correct the name in \`database\``;
    case "42501":
      return `the user ${user} lacks a right (${message}). Make the schema for it (CREATE SCHEMA "${schema}" AUTHORIZATION "${user}"), or give it the right to (GRANT CREATE ON DATABASE "${database}" TO "${user}")`;
    case "53300":
      return `it has no connection left (${message}). Raise its max_connections; a service takes up to 7`;
    case "57P03":
      return `it is starting or stopping (${message}). Try again in a moment`;
    case "55P03":
      return `another process has been migrating the schema ${schema} for a minute. Let it finish, or end it, and start again`;
  }
  if (/timeout/i.test(message))
    return `${host}:${port} doesn't answer (${message}). Check that PostgreSQL is running and that no firewall is in the way`;
  if (/password/i.test(message)) return `it asks for a password (${message}). Give one in \`database\``;
  if (/SSL|certificate|self.signed/i.test(message))
    return `the encrypted connection failed (${message}). Choose sslmode in \`database\`: disable, no-verify, or verify-full with sslrootcert`;
  return message;
}

/** What is of use in an error, whoever threw it; of several addresses tried, the first one's. */
function asFields(error: unknown): { message: string; code?: string; table?: string; constraint?: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return asFields(error.errors[0]);
  if (error instanceof Error) return error;
  return { message: describe(error) };
}
