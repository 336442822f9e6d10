import { createInterface } from "node:readline/promises";
import { UsageError } from "../errors.js";
import type { Io } from "../io.js";

/** Asks on a terminal; elsewhere nobody can be asked, and `--yes` must have been said. True to go on. */
export async function confirmed(question: string, io: Io): Promise<boolean> {
  if (!io.terminal || process.stdin.isTTY !== true)
    throw new UsageError(`${question} Nothing was changed: say --yes to go on`, 2);
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
