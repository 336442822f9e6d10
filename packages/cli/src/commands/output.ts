// What a run wrote, as it comes: standard output to standard output, standard error to standard error.
import type { BerthClient } from "@berth/client";
import { formatBytes } from "@berth/client/quantities";
import type { registry } from "@berth/contracts";
import { hint } from "../hints.js";
import { type Io, paint } from "../io.js";

/** Writes chunks of output, and says where some were cut away or a new attempt begins. */
export function outputWriter(io: Io): (chunk: registry.LogChunk) => void {
  let attempt = 0;
  let expected: bigint | undefined;
  const note = (text: string) => io.writeError(`${paint(io, "dim", `--- ${text} ---`)}\n`);
  return (chunk) => {
    if (chunk.attempt !== attempt) {
      if (attempt !== 0) note(`attempt ${chunk.attempt}`);
      attempt = chunk.attempt;
      expected = undefined;
    }
    if (expected !== undefined && chunk.offset > expected) note(`${formatBytes(Number(chunk.offset - expected))} cut`);
    const text = Buffer.from(chunk.data).toString("utf8");
    if (chunk.stderr) io.writeError(text);
    else io.write(text);
    expected = chunk.offset + BigInt(chunk.data.length);
  };
}

/** Writes all of a task's output until it is final. Ends without a word when `signal` aborts. */
export async function followOutput(client: BerthClient, task: string, io: Io, signal: AbortSignal): Promise<void> {
  const write = outputWriter(io);
  try {
    for await (const chunk of client.logs(task, { follow: true, signal })) write(chunk);
  } catch (error) {
    if (signal.aborted) return;
    const why = error instanceof Error ? error.message : String(error);
    io.writeError(`its output can't be followed (${why}); see it later: ${hint(io, `logs ${task}`)}\n`);
  }
}
