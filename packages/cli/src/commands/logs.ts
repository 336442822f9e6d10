import { formatBytes } from "@berth/client/quantities";
import { wholeNumber } from "../arguments.js";
import { type GlobalOptions, withClient } from "../connection.js";
import { type Io, paint, printJson } from "../io.js";

/** `berth logs ID [-f]`: what a run wrote, standard error to standard error. */
export function logs(
  task: string,
  options: GlobalOptions & { follow?: boolean; attempt?: string },
  io: Io,
): Promise<number> {
  const attempt = options.attempt === undefined ? 0 : wholeNumber("--attempt", options.attempt, 1);
  return withClient(options, io, async (client) => {
    const stop = new AbortController();
    const onInterrupt = () => stop.abort();
    process.once("SIGINT", onInterrupt);
    let expected: bigint | undefined;
    let current = 0;
    let any = false;
    try {
      for await (const chunk of client.logs(task, { attempt, follow: options.follow === true, signal: stop.signal })) {
        any = true;
        if (chunk.attempt !== current) {
          if (current !== 0 && options.json !== true)
            io.writeError(`${paint(io, "dim", `--- attempt ${chunk.attempt} ---`)}\n`);
          expected = undefined;
          current = chunk.attempt;
        }
        if (options.json === true) printJson(io, chunk, { oneLine: true });
        else {
          if (expected !== undefined && chunk.offset > expected)
            io.writeError(`\n${paint(io, "dim", `--- ${formatBytes(Number(chunk.offset - expected))} cut ---`)}\n`);
          const text = Buffer.from(chunk.data).toString("utf8");
          if (chunk.stderr) io.writeError(text);
          else io.write(text);
        }
        expected = chunk.offset + BigInt(chunk.data.length);
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      process.off("SIGINT", onInterrupt);
    }
    if (!any && options.json !== true && options.follow !== true)
      io.writeError("no output is kept of it; see `berth task` for how it ended\n");
    return 0;
  });
}
