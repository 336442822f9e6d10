// What is told of a set when every task is final.
import { systemClock } from "@berth/chassis/clock";
import type { BerthClient } from "@berth/client";
import { formatDuration } from "@berth/client/quantities";
import { registry } from "@berth/contracts";
import type { Board } from "../board.js";
import { hint } from "../hints.js";
import { type Io, paint, printJson } from "../io.js";
import { paintState, stateWord } from "../states.js";
import { tailOf } from "./tail.js";

const unsuccessfulShown = 20;
/** Failed tasks whose last output is shown. */
const tailsShown = 3;
/** Columns of a line of output where there is no terminal. */
const widthElsewhere = 400;

/** What has ended, and how to tell it. */
export interface Conclusion {
  readonly client: BerthClient;
  readonly set: string;
  readonly board: Board;
  readonly startedMs: number;
  readonly tell: (text: string) => void;
  readonly io: Io;
  readonly json: boolean;
  /** True if the output was shown as it came. */
  readonly outputShown: boolean;
}

/** Tells how it ended; true if all succeeded. */
export async function conclude(conclusion: Conclusion): Promise<boolean> {
  const { board, set, tell, io, startedMs, json } = conclusion;
  const bad = board.unsuccessful;
  const elapsed = formatDuration(systemClock.wallMs() - startedMs);
  if (json)
    printJson(
      io,
      {
        kind: "end",
        set,
        succeeded: bad.length === 0,
        taskCount: board.total,
        unsuccessful: bad.map((task) => task.task),
      },
      { oneLine: true },
    );
  else if (bad.length === 0)
    tell(
      board.total === 1
        ? `${paint(io, "green", "succeeded")} in ${elapsed}: ${set}`
        : `${paint(io, "green", "all succeeded")}: ${board.total} tasks of set ${set} in ${elapsed}`,
    );
  else {
    tell(`${endedLine(board, io)}: set ${set} in ${elapsed}`);
    await tellUnsuccessful(bad, conclusion);
  }
  return bad.length === 0;
}

/** `2 failed, 1 skipped, 28 succeeded`. */
function endedLine(board: Board, io: Io): string {
  const { FAILED, CANCELLED, SKIPPED, SUCCEEDED } = registry.Task_State;
  return [FAILED, CANCELLED, SKIPPED, SUCCEEDED]
    .map((state) => [board.count(state), state] as const)
    .filter(([count]) => count > 0)
    .map(([count, state]) => paintState(io, state, `${count} ${stateWord(state)}`))
    .join(", ");
}

async function tellUnsuccessful(bad: readonly registry.Task[], conclusion: Conclusion): Promise<void> {
  const { client, set, tell, io, outputShown } = conclusion;
  const failed = bad.filter((task) => task.state === registry.Task_State.FAILED);
  const shown = new Set(outputShown ? [] : failed.slice(0, tailsShown));
  // What failed comes first: the rest mostly is so because of it.
  for (const task of [...failed, ...bad.filter((each) => !failed.includes(each))].slice(0, unsuccessfulShown)) {
    tell(`  ${task.task} ${paintState(io, task.state)}${task.stateReason === "" ? "" : ` - ${task.stateReason}`}`);
    if (!shown.has(task)) continue;
    const width = io.terminal ? io.columns() - 7 : widthElsewhere;
    for (const line of await tailOf(client, task.task, width)) tell(`    ${paint(io, "dim", `| ${line}`)}`);
  }
  if (bad.length > unsuccessfulShown)
    tell(
      `  and ${bad.length - unsuccessfulShown} more: ${hint(io, `tasks --set ${set} --state failed,skipped,cancelled`)}`,
    );
  if (failed[0] !== undefined)
    tell(`see why: ${hint(io, `logs ${failed[0].task}`)}   try again: ${hint(io, `retry --set ${set} --failed`)}`);
}
