// Says why nothing runs, where nothing has for a while: most often a pool without a runner, or a limit that others hold.
import { type Clock, delay } from "@berth/chassis/clock";
import { registry } from "@berth/contracts";
import type { Board } from "../board.js";

const State = registry.Task_State;

/** Nothing runs for so long: time to ask why. */
export const quietMs = 3_000;
/** Where answers can't take the place of those before, new ones come ever more rarely, down to this. */
const longestMs = 60_000;

/** What it looks at, and whom it asks and tells. */
export interface StandstillOptions {
  readonly board: Board;
  /** Why a task doesn't run, in one line; undefined if nobody can say now. */
  readonly explain: (task: string) => Promise<string | undefined>;
  /** Takes a line that differs from the one before, and undefined when something runs again. */
  readonly tell: (why: string | undefined) => void;
  /** True if a line takes the place of the one before. */
  readonly drawn: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Looks until `signal` aborts. */
export async function watchStandstill({
  board,
  explain,
  tell,
  drawn,
  clock,
  signal,
}: StandstillOptions): Promise<void> {
  let told: string | undefined;
  let waitMs = quietMs;
  let movedAt = board.moves;
  while (!signal.aborted) {
    await delay(clock, waitMs, signal);
    if (signal.aborted) return;
    const moved = board.moves !== movedAt;
    movedAt = board.moves;
    const task = moved ? undefined : stuckOf(board);
    if (task === undefined) {
      if (told !== undefined) tell(undefined);
      told = undefined;
      waitMs = quietMs;
      continue;
    }
    const why = await explain(task.task);
    // What has moved while it was asked isn't stuck.
    if (why === undefined || signal.aborted || board.moves !== movedAt) continue;
    const line = `nothing runs: ${task.task} ${why}`;
    if (line !== told) {
      tell(line);
      if (!drawn && told !== undefined) waitMs = Math.min(waitMs * 2, longestMs);
    }
    told = line;
  }
}

/** The task to ask about, where none runs: the first that might. */
function stuckOf(board: Board): registry.Task | undefined {
  if (board.count(State.RUNNING, State.CANCELLING) > 0) return undefined;
  return board.first(State.READY) ?? board.first(State.ASSIGNED);
}
