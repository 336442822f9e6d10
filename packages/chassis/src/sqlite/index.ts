export { asCommitError, SqliteLead } from "./lead.js";
export { type FolderLock, FolderLocked, lockFolder } from "./lock.js";
export { openSqlite, type SqliteDatabase } from "./open.js";
export { inTransaction } from "./transaction.js";
export { naming, StoreUnusable } from "./trouble.js";
