// Says below the board what holds the queued tasks of a set back: one question for all of them, now and then.
import { type Clock, delay } from "@berth/chassis/clock";
import type { scheduler } from "@berth/contracts";
import { registry } from "@berth/contracts";
import type { Board } from "../board.js";

/** Time between two questions. */
export const askMs = 1_500;

/** What it looks at, and whom it asks and tells. */
export interface HoldsOptions {
  readonly board: Board;
  /** What holds the set's tasks back; undefined if nobody can say now. */
  readonly ask: () => Promise<scheduler.ExplainTasksResponse | undefined>;
  /** Takes the line, and undefined when nothing is held back. */
  readonly tell: (line: string | undefined) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Looks until `signal` aborts. */
export async function watchHolds({ board, ask, tell, clock, signal }: HoldsOptions): Promise<void> {
  while (!signal.aborted) {
    await delay(clock, askMs, signal);
    if (signal.aborted) return;
    const answer = board.count(registry.Task_State.READY) === 0 ? undefined : await ask();
    if (!signal.aborted) tell(answer === undefined ? undefined : holdsLine(answer));
  }
}

/** `12 queued: 8 api:llm 2/2, 4 pool build full`; undefined where nothing is queued. */
export function holdsLine({ queuedCount, causes }: scheduler.ExplainTasksResponse): string | undefined {
  if (queuedCount === 0n) return undefined;
  return `${queuedCount} queued: ${causes.map(({ cause, taskCount }) => `${taskCount} ${cause}`).join(", ")}`;
}
