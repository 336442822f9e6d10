import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { describe } from "../errors/index.js";

/** A folder that can't be made or used. The message says which, why, and what to do. */
export class FolderUnusable extends Error {
  override readonly name = "FolderUnusable";
}

/**
 * Makes a folder, readable by its owner only, and those above it that are missing. One that is there is left as it is.
 *
 * @throws FolderUnusable if it can't be made, if something else has its name, or if this process may not write into it.
 */
export function makeFolder(folder: string): void {
  try {
    make(resolve(folder));
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const why = reasons[(error as NodeJS.ErrnoException).code ?? ""] ?? describe(error);
    throw new FolderUnusable(`${folder}: ${why}: choose a folder in a place where you may write`, { cause: error });
  }
}

const reasons: Readonly<Record<string, string>> = {
  EEXIST: "there is a file of this name where a folder is needed",
  ENOTDIR: "a part of this path is a file, not a folder",
  ENOENT: "no folder can be made there",
  EACCES: "you may not read and write there",
  EPERM: "you may not read and write there",
  EROFS: "nothing can be written there, it is read-only",
  ENAMETOOLONG: "this name is too long",
  ENOSPC: "the disk is full",
};

/** One folder after the other: Node's own `recursive` tries for ever where the system says ENOENT though the folder above is there, as in /proc. */
function make(folder: string): void {
  if (isFolder(folder)) return;
  const above = dirname(folder);
  if (above !== folder) make(above);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (!isFolder(folder)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
