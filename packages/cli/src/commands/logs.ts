import { wholeNumber } from "../arguments.js";
import { withClient } from "../connection.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, printJson, sayError } from "../io.js";
import { resolve } from "../naming.js";
import type { GlobalOptions } from "../places.js";
import { outputWriter } from "./output.js";
import { setLogs } from "./set-logs.js";

/** `berth logs ID [-f]`: what a run wrote, standard error to standard error. */
export function logs(
  task: string,
  options: GlobalOptions & { follow?: boolean; attempt?: string },
  io: Io,
): Promise<number> {
  const attempt = options.attempt === undefined ? 0 : wholeNumber("--attempt", options.attempt, 1);
  return withClient(options, io, async (client) => {
    const found = await resolve(client, task, io);
    if ("set" in found && attempt > 0) throw new UsageError("--attempt belongs to one task: name it, SET/TASK");
    const stop = new AbortController();
    const onInterrupt = () => stop.abort();
    process.once("SIGINT", onInterrupt);
    // Nobody reads on: what goes on being written would be followed for nothing.
    const signal = AbortSignal.any([stop.signal, io.outputEnded]);
    const write = outputWriter(io);
    let any = false;
    try {
      const follow = options.follow === true;
      const json = options.json === true;
      if ("set" in found) any = await setLogs(client, found.set, io, { follow, json, signal });
      else
        for await (const chunk of client.logs(found.task, { attempt, follow, signal })) {
          any = true;
          if (json) printJson(io, chunk, { oneLine: true });
          else write(chunk);
        }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      process.off("SIGINT", onInterrupt);
    }
    if (!any && options.json !== true && options.follow !== true)
      sayError(
        io,
        `none of its output is kept; see how it ended: ${hint(io, "set" in found ? `tasks --set ${found.set}` : `task ${found.task}`)}`,
      );
    return 0;
  });
}
