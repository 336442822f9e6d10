// What a run wrote, as it comes: standard output to standard output, standard error to standard error.
import { delay, systemClock } from "@berth/chassis/clock";
import { type BerthClient, ReasonError } from "@berth/client";
import { formatBytes } from "@berth/client/quantities";
import type { registry } from "@berth/contracts";
import { hint } from "../hints.js";
import { type Io, paint, sayError } from "../io.js";

/** Writes chunks of output, and says where some were cut away or a new attempt begins. */
export function outputWriter(io: Io): (chunk: registry.LogChunk) => void {
  let attempt = 0;
  let expected: bigint | undefined;
  const note = (text: string) => sayError(io, paint(io, "dim", `--- ${text} ---`));
  return (chunk) => {
    if (chunk.attempt !== attempt) {
      if (attempt !== 0) note(`attempt ${chunk.attempt}`);
      attempt = chunk.attempt;
      expected = undefined;
    }
    if (expected !== undefined && chunk.offset > expected) note(`${formatBytes(Number(chunk.offset - expected))} cut`);
    // As bytes: a character may go on in the next chunk, or it is no text at all.
    if (chunk.stderr) io.writeRawError(chunk.data);
    else io.writeRaw(chunk.data);
    expected = chunk.offset + BigInt(chunk.data.length);
  };
}

/** Only what a moment later may be answered differently. */
const passing = new Set(["UNREACHABLE", "NOT_READY", "CANCELLED"]);
const againMs = 500;

/** Leaves out what was written before: after a break the output is read again from its beginning. */
export function onlyNew(write: (chunk: registry.LogChunk) => void): (chunk: registry.LogChunk) => void {
  let attempt = 0;
  let end = 0n;
  return (chunk) => {
    if (chunk.attempt < attempt || (chunk.attempt === attempt && chunk.offset < end)) return;
    attempt = chunk.attempt;
    end = chunk.offset + BigInt(chunk.data.length);
    write(chunk);
  };
}

/** What was written of a task's output. */
export interface Written {
  /** The last attempt of which anything came; 0 for none. */
  attempt: number;
  /** Bytes of it. */
  bytes: number;
}

/**
 * Writes all of a task's output until it is final. Ends without a word when `signal` aborts. A connection that breaks is tried
 * again until `over` aborts: whoever follows the task as well knows then that it is final, or says that Berth is away.
 */
export async function followOutput(
  client: BerthClient,
  task: string,
  io: Io,
  { signal, over }: { signal: AbortSignal; over: AbortSignal },
): Promise<Written> {
  const written: Written = { attempt: 0, bytes: 0 };
  const writeOut = outputWriter(io);
  const write = onlyNew((chunk) => {
    if (chunk.attempt !== written.attempt) Object.assign(written, { attempt: chunk.attempt, bytes: 0 });
    written.bytes += chunk.data.length;
    writeOut(chunk);
  });
  for (;;) {
    try {
      for await (const chunk of client.logs(task, { follow: true, signal })) write(chunk);
      return written;
    } catch (thrown) {
      if (signal.aborted) return written;
      const error = ReasonError.from(thrown);
      if (over.aborted || !passing.has(error.reason)) {
        const later = hint(io, `logs ${task}`);
        sayError(io, `its output can't be followed (${error.message}); see it later: ${later}`);
        return written;
      }
    }
    await delay(systemClock, againMs, AbortSignal.any([signal, over]));
  }
}
