export { openPostgres, type PostgresDatabase } from "./database.js";
export { asCommitError, DatabaseError, DatabaseUnusable } from "./errors.js";
export { PostgresLead } from "./lead.js";
export { PostgresOpener } from "./opener.js";
export type { Run, Session, Statement } from "./session.js";
export { type DatabaseSettings, databaseSchema, databaseUrl, type PostgresTarget, targetOf } from "./target.js";
export { columns, fromColumn, lastOf, toColumn } from "./text.js";
