import { createInterface } from "node:readline/promises";
import { UsageError } from "../errors.js";
import { type Io, sayError } from "../io.js";

/** Asks on a terminal; elsewhere nobody can be asked, and `--yes` must have been said. True to go on. */
export async function confirmed(question: string, io: Io): Promise<boolean> {
  if (!io.terminal || process.stdin.isTTY !== true)
    throw new UsageError(`${question} Nothing was changed: pass --yes to go on`, 2);
  // The answer is a line of the terminal's own: it edits and shows what is typed.
  const lines = createInterface({ input: process.stdin });
  try {
    sayError(io, `${question} [y/N]`);
    for await (const answer of lines) return /^y(es)?$/i.test(answer.trim());
    return false;
  } finally {
    lines.close();
  }
}
