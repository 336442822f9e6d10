// Follows a set to its end: bars on a terminal, a line for each change elsewhere. Ctrl-C detaches, a second one cancels.
import { systemClock } from "@berth/chassis/clock";
import type { BerthClient } from "@berth/client";
import { formatDuration } from "@berth/client/quantities";
import type { registry } from "@berth/contracts";
import { Board, changeLine } from "../board.js";
import { hint } from "../hints.js";
import { cut, type Io, paint, printJson, say, sayError } from "../io.js";
import { Screen } from "../screen.js";
import { stateWord } from "../states.js";
import { wireTask } from "../wire.js";
import { conclude } from "./conclude.js";
import { Failures } from "./failures.js";
import { watchHolds } from "./holds.js";
import { onInterrupts } from "./interrupts.js";
import { followOutput, type Written } from "./output.js";
import { watchStandstill } from "./standstill.js";

const redrawMs = 100;

/** How a set was left. */
export type Followed = "succeeded" | "unsuccessful" | "detached" | "gaveUp";

/** How to follow. */
export interface FollowOptions {
  readonly json?: boolean;
  /** Ends following without a word, as a detachment. */
  readonly signal?: AbortSignal;
  /** A task whose output is written as it comes; what is told about it goes to standard error then. */
  readonly outputOf?: string;
  /** Hears how much of that output was written, before the end is told. */
  readonly onOutput?: (written: Written) => void;
  /** Leaves Ctrl-C to the caller. */
  readonly ownSignals?: boolean;
  /** Longest time that Berth may be away, milliseconds. Default: no bound. */
  readonly giveUpMs?: number;
}

/** Follows until every task is final, the user detaches, or Berth was away for too long. */
export async function follow(client: BerthClient, set: string, io: Io, options: FollowOptions = {}): Promise<Followed> {
  const known = (await client.registry.getTaskSet({ set })).taskSet;
  const board = new Board(Number(known?.taskCount ?? 0));
  const json = options.json === true;
  const outputOf = json ? undefined : options.outputOf;
  const drawn = io.terminal && !json && outputOf === undefined;
  const screen = new Screen(io);
  const startedMs = known?.createTime?.getTime() ?? systemClock.wallMs();
  const stop = new AbortController();
  const ended = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const notes: { connection?: string | undefined; standstill?: string | undefined; holds?: string | undefined } = {};
  const draw = () => {
    const below = Object.values(notes).filter((note) => note !== undefined);
    screen.draw([...board.lines(io, systemClock.wallMs(), startedMs), ...below]);
  };
  const line = (text: string) => {
    if (drawn) screen.clear();
    sayError(io, text);
  };
  const tell = outputOf === undefined ? (text: string) => say(io, text) : line;
  const failures = new Failures();
  const tellAbove = (text: string) => {
    if (drawn) screen.clear();
    tell(drawn ? cut(text, io.columns() - 1) : text);
    if (drawn) draw();
  };
  const away = awayTimer(options.giveUpMs, stop);
  const release = options.ownSignals === true ? () => undefined : onInterrupts(client, set, stop, line, io);
  const redraw = drawn ? setInterval(draw, redrawMs) : undefined;
  const over = ended.signal;
  const output = outputOf === undefined ? undefined : followOutput(client, outputOf, io, { signal, over });
  // An answer that is under way mustn't keep the user waiting at the end.
  const following = AbortSignal.any([signal, ended.signal]);
  const standstill = watchStandstill({
    board,
    drawn,
    clock: systemClock,
    signal: following,
    explain: async (task) =>
      notes.connection === undefined
        ? client.scheduler.explainTask({ task }, { signal: following }).then(
            (answer) => answer.summary || undefined,
            () => undefined,
          )
        : undefined,
    tell(why) {
      notes.standstill = why === undefined || !drawn ? undefined : paint(io, "yellow", cut(why, io.columns() - 1));
      if (why !== undefined && !drawn && !json) line(why);
    },
  });
  const holds = !drawn
    ? undefined
    : watchHolds({
        board,
        clock: systemClock,
        signal: following,
        ask: async () =>
          notes.connection === undefined
            ? client.scheduler.explainTasks({ set }, { signal: following }).catch(() => undefined)
            : undefined,
        tell(text) {
          notes.holds = text === undefined ? undefined : paint(io, "dim", cut(text, io.columns() - 1));
        },
      });
  try {
    await client.wait(set, {
      signal,
      onTask(told) {
        const task = wireTask(told);
        const before = board.take(task);
        if (json) printJson(io, changeOf(task), { oneLine: true });
        else if (!drawn || failures.toName(task, before)) {
          const text = changeLine(io, board, before, task, systemClock.wallMs());
          if (text !== undefined) tellAbove(text);
        }
      },
      onConnection(error) {
        away.change(error !== undefined);
        const text = error === undefined ? undefined : `connection lost (${error.message}); trying again`;
        notes.connection = text === undefined ? undefined : paint(io, "yellow", cut(text, io.columns() - 1));
        if (!drawn) line(text ?? "connected again");
      },
    });
    // What is on its way may arrive; what breaks now isn't tried again.
    ended.abort();
    const written = await output;
    if (written !== undefined) options.onOutput?.(written);
  } catch (error) {
    if (!signal.aborted) throw error;
    if (drawn) screen.clear();
    if (!away.tooLong) return "detached";
    line(
      `Berth has been away for ${formatDuration(options.giveUpMs ?? 0)}, and how the tasks went isn't known. They go on when it is back; then see: ${hint(io, `watch ${set}`)}`,
    );
    return "gaveUp";
  } finally {
    clearInterval(redraw);
    ended.abort();
    await Promise.all([standstill, holds]);
    delete notes.holds;
    away.change(false);
    release();
    if (drawn && !signal.aborted) {
      draw();
      screen.finish();
    }
  }
  const succeeded = await conclude({
    client,
    set,
    board,
    startedMs,
    tell,
    io,
    json,
    outputShown: outputOf !== undefined,
  });
  return succeeded ? "succeeded" : "unsuccessful";
}

function changeOf(task: registry.Task): object {
  return {
    kind: "task",
    task: task.task,
    state: stateWord(task.state),
    attempt: task.attempt,
    pool: task.pool,
    runner: task.runner,
    reason: task.stateReason,
  };
}

/** Aborts `stop` once Berth was away for the whole time without a break. */
function awayTimer(giveUpMs: number | undefined, stop: AbortController) {
  let timer: NodeJS.Timeout | undefined;
  const state = {
    tooLong: false,
    change(away: boolean): void {
      clearTimeout(timer);
      timer = undefined;
      if (!away || giveUpMs === undefined) return;
      timer = setTimeout(() => {
        state.tooLong = true;
        stop.abort();
      }, giveUpMs);
    },
  };
  return state;
}
