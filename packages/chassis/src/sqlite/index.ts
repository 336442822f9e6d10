export { asCommitError, type JournalRow, type LeadPosition, SqliteLead } from "./lead.js";
export { FolderLocked, type FolderLock, lockFolder } from "./lock.js";
export { type Migration, openSqlite, type SqliteDatabase } from "./open.js";
