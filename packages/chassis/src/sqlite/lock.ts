import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { makeFolder } from "../folder/index.js";
import { storeTrouble } from "./trouble.js";

/** A folder that belongs to this process. */
export interface FolderLock {
  /** Gives the folder back. Safe to call twice. */
  release(): void;
}

/** Another process has the folder. */
export class FolderLocked extends Error {
  override readonly name = "FolderLocked";
}

/**
 * Locks a folder against a second process, creating it if it isn't there. The lock ends with this process, however that ends: it is
 * the exclusive lock that SQLite holds on `lock.db`, which the kernel takes back. (A file that merely exists would outlive kill -9.)
 *
 * @throws FolderUnusable if it can't be made or used; FolderLocked naming the folder and the process that has it.
 */
export function lockFolder(folder: string): FolderLock {
  makeFolder(folder);
  const holderFile = join(folder, "lock.pid");
  const path = join(folder, "lock.db");
  const database = new Database(path);
  try {
    database.pragma("busy_timeout = 0");
    database.pragma("locking_mode = EXCLUSIVE");
    database.exec("BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (id INTEGER); COMMIT; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!(error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY")))
      throw storeTrouble(path, error);
    throw new FolderLocked(
      `${folder} is in use by ${holderOf(holderFile)}: stop it first, or choose another data folder (only one process at a time may use it)`,
    );
  }
  writeFileSync(holderFile, `${process.pid}\n`);
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      // libsql's close() leaves the file locks to the garbage collector; in normal locking mode the next read gives them back.
      database.exec("ROLLBACK");
      database.pragma("locking_mode = NORMAL");
      database.prepare("SELECT count(*) FROM held").all();
      database.close();
    },
  };
}

function holderOf(holderFile: string): string {
  try {
    return `process ${readFileSync(holderFile, "utf8").trim()}`;
  } catch {
    return "another process";
  }
}
