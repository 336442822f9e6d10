import { runner } from "@berth/contracts";

/** How a process ended. */
export type ProcessEnding =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: string };

/** What a run left as its result: JSON, empty for none; or why it isn't one. `permanent` where another attempt would leave the same. */
export type Result = { readonly json: Buffer } | { readonly message: string; readonly permanent: boolean };

/** How a run came to its end, as seen by whoever ran it. */
export type Ending =
  | (ProcessEnding & { readonly left: Result })
  | { readonly kind: "returned"; readonly resultJson: Buffer }
  | { readonly kind: "threw"; readonly message: string; readonly permanent: boolean }
  | { readonly kind: "notStarted"; readonly message: string; readonly permanent: boolean };

/** Why a run was stopped by the runner. */
export interface Stop {
  /** STOPPED for a revocation or the deadline, TIMED_OUT for a time-out. */
  readonly result: "RESULT_STOPPED" | "RESULT_TIMED_OUT";
  /** For people. */
  readonly message: string;
}

/** What is measured of a run. */
export interface Measured {
  readonly startWallMs: number | undefined;
  readonly endWallMs: number;
  readonly outputBytes: number;
}

const messageCharactersMax = 1024;

/**
 * The outcome of a run. A run that was stopped has ended as stopped, even if it exited with 0 on SIGTERM: whether its work was
 * finished can't be known. One that had ended by itself before it could be stopped never gets here with a stop.
 */
export function outcomeOf(ending: Ending, stop: Stop | undefined, measured: Measured): runner.Outcome {
  const outcome = runner.Outcome.fromPartial({
    endTime: new Date(measured.endWallMs),
    outputBytes: BigInt(measured.outputBytes),
  });
  if (measured.startWallMs !== undefined) outcome.startTime = new Date(measured.startWallMs);
  if (ending.kind === "exited") outcome.exitCode = ending.code;
  if (ending.kind === "signalled") outcome.signal = ending.signal;
  if (stop && ending.kind !== "notStarted") {
    outcome.result = stop.result;
    outcome.message = clip(stop.message);
    return outcome;
  }
  switch (ending.kind) {
    case "exited":
    case "signalled":
      return withResult(outcome, ending);
    case "returned":
      outcome.result = runner.Outcome_Result.SUCCEEDED;
      outcome.resultJson = ending.resultJson;
      return outcome;
    case "threw":
      outcome.result = runner.Outcome_Result.FAILED;
      outcome.message = clip(ending.message);
      outcome.permanent = ending.permanent;
      return outcome;
    case "notStarted":
      outcome.result = runner.Outcome_Result.NOT_STARTED;
      outcome.message = clip(ending.message);
      outcome.permanent = ending.permanent;
      outcome.startTime = undefined;
      return outcome;
  }
}

/** Of a process that ended by itself. One that left something as its result that can't be kept has failed, even if it thinks otherwise. */
function withResult(outcome: runner.Outcome, ending: ProcessEnding & { readonly left: Result }): runner.Outcome {
  const { left } = ending;
  const failure =
    ending.kind === "signalled" ? `ended by ${ending.signal}` : ending.code === 0 ? "" : `exit code ${ending.code}`;
  outcome.result = failure === "" && "json" in left ? runner.Outcome_Result.SUCCEEDED : runner.Outcome_Result.FAILED;
  if ("json" in left) {
    outcome.resultJson = left.json;
    outcome.message = failure;
    return outcome;
  }
  outcome.message = clip(failure === "" ? left.message : `${failure}; ${left.message}`);
  // Where the process itself has failed, that may be why: another attempt may do better.
  outcome.permanent = failure === "" && left.permanent;
  return outcome;
}

/** One line of at most 4 KiB in UTF-8. */
function clip(message: string): string {
  const line = message.replace(/\s*[\r\n]+\s*/g, " ");
  return line.length <= messageCharactersMax ? line : `${line.slice(0, messageCharactersMax - 1)}…`;
}
