import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { constants, open, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe } from "@berth/chassis/errors";
import type { Result } from "../domain/outcome.js";
import { NotStarted } from "../executors/executor.js";
import { resultBytesMax, writtenResult } from "../executors/result.js";

/** A command's own file for its result. It isn't there until the command writes it. */
export interface ResultFile {
  /** What `BERTH_RESULT` says. */
  readonly path: string;
  /** Reads what the command wrote; no more than is kept, whatever it put there. */
  read(): Promise<Result>;
  /** Removes the file's folder and all that is in it. Never throws: what stays is removed at the next start. */
  remove(): Promise<void>;
}

const nothing: Result = { json: Buffer.alloc(0) };

/** The files that commands write their results to: each in a folder of its own in the runner's data folder, for its user alone. */
export class ResultFiles {
  private readonly folder: string;

  constructor(dataFolder: string) {
    this.folder = resolve(dataFolder, "results");
  }

  /** Removes what earlier processes of this runner left. */
  clear(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes the folder of one run. @throws NotStarted if that can't be done. */
  make(): ResultFile {
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      const folder = mkdtempSync(join(this.folder, "run-"));
      const path = join(folder, "result.json");
      return {
        path,
        read: () => read(path),
        remove: () => rm(folder, { recursive: true, force: true }).catch(() => undefined),
      };
    } catch (error) {
      throw new NotStarted(`the folder for the run's result can't be made: ${describe(error)}`, false);
    }
  }
}

async function read(path: string): Promise<Result> {
  try {
    // Nothing that a command can put there may keep the runner waiting, as opening a named pipe would.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const seen = await file.stat();
      if (!seen.isFile()) return { message: "the result in $BERTH_RESULT isn't a file", permanent: true };
      const room = Buffer.alloc(Math.min(resultBytesMax, seen.size) + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(room, length, room.length - length, length);
        length += bytesRead;
        if (bytesRead === 0 || length === room.length) break;
      }
      return writtenResult(room.subarray(0, length), seen.size);
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return nothing;
    return { message: `the result in $BERTH_RESULT can't be read: ${describe(error)}`, permanent: false };
  }
}
