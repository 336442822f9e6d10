import { wholeNumber } from "../arguments.js";
import { withClient } from "../connection.js";
import { hint } from "../hints.js";
import { type Io, printJson, sayError } from "../io.js";
import type { GlobalOptions } from "../places.js";
import { outputWriter } from "./output.js";

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
    // Nobody reads on: what goes on being written would be followed for nothing.
    const signal = AbortSignal.any([stop.signal, io.outputEnded]);
    const write = outputWriter(io);
    let any = false;
    try {
      for await (const chunk of client.logs(task, { attempt, follow: options.follow === true, signal })) {
        any = true;
        if (options.json === true) printJson(io, chunk, { oneLine: true });
        else write(chunk);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      process.off("SIGINT", onInterrupt);
    }
    if (!any && options.json !== true && options.follow !== true)
      sayError(io, `no output is kept of it; see how it ended: ${hint(io, `task ${task}`)}`);
    return 0;
  });
}
