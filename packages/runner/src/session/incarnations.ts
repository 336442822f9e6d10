import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

/** One incarnation of a runner. */
export interface Incarnation {
  /** Random, new at every beginning. */
  readonly id: string;
  /** Which beginning of this runner it is, from 1. */
  readonly startNumber: number;
}

/**
 * Begins incarnations. Their number is at rest in the data folder before it is used, so that an attachment of an earlier one that was
 * long on its way can be told from a newer one by anybody, even if the earlier one never attached.
 */
export class Incarnations {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The next one. @throws if its number can't be written. */
  next(): Incarnation {
    const startNumber = this.last() + 1;
    const file = join(this.folder, "starts");
    const scratch = `${file}.new`;
    const descriptor = openSync(scratch, "w", 0o600);
    try {
      writeSync(descriptor, `${startNumber}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(scratch, file);
    const entry = openSync(this.folder, "r");
    try {
      fsyncSync(entry);
    } finally {
      closeSync(entry);
    }
    return { id: randomUUID(), startNumber };
  }

  private last(): number {
    try {
      const number = Number(readFileSync(join(this.folder, "starts"), "utf8"));
      return Number.isSafeInteger(number) && number > 0 ? number : 0;
    } catch {
      return 0;
    }
  }
}
