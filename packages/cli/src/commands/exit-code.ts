// A command's own end as this process's exit code, as a shell would have it.
import { constants } from "node:os";
import type { BerthClient } from "@berth/client";
import { formatBytes } from "@berth/client/quantities";
import { registry, type runner } from "@berth/contracts";
import { type Io, sayError } from "../io.js";
import type { Written } from "./output.js";

/** The code that it ended with, or 128 + the number of the signal that ended it; undefined if it never ran. */
export function codeOf(outcome: runner.Outcome | undefined): number | undefined {
  if (outcome === undefined) return undefined;
  if (outcome.exitCode !== undefined) return outcome.exitCode;
  const signal = constants.signals[outcome.signal as NodeJS.Signals] as number | undefined;
  return signal === undefined ? undefined : 128 + signal;
}

/**
 * What `run -- COMMAND` exits with once its task is final: the command's own code; 1 where there is none, where the task was cancelled, where a code of 0 wasn't a success
 * for Berth, and where the command succeeded but `written` isn't all that it wrote.
 */
export async function codeOfTask(
  client: BerthClient,
  key: string,
  written: Written | undefined,
  io: Io,
): Promise<number> {
  const { task } = await client.registry.getTask({ task: key, view: registry.View.FULL });
  const last = task?.attempts.at(-1);
  const outcome = last?.outcome ?? last?.lateOutcome;
  const code = codeOf(outcome);
  // What was cancelled didn't end by itself, whatever signal it got.
  if (task?.state === registry.Task_State.FAILED) return code || 1;
  if (task?.state !== registry.Task_State.SUCCEEDED) return 1;
  if (written === undefined) return 0;
  const missing = Number(outcome?.outputBytes ?? 0n) - (written.attempt === last?.attempt ? written.bytes : 0);
  // Whoever stopped reading doesn't miss it, and what couldn't be written has been told.
  if (missing <= 0 || io.outputEnded.aborted) return 0;
  sayError(
    io,
    `berth: the command succeeded, but ${formatBytes(missing)} of its output is missing here: at most 16 MiB of a run is kept, and the middle of anything longer is cut. Let it write to a file instead`,
  );
  return 1;
}
