// Follows a set to its end: bars on a terminal, a line for each change elsewhere. Ctrl-C detaches, a second one cancels.
import { systemClock } from "@berth/chassis/clock";
import type { BerthClient } from "@berth/client";
import { formatDuration } from "@berth/client/quantities";
import type { registry } from "@berth/contracts";
import { Board, changeLine } from "../board.js";
import { type Io, paint, printJson, say } from "../io.js";
import { Screen } from "../screen.js";
import { paintState, stateWord } from "../states.js";
import { followOutput } from "./output.js";

const redrawMs = 100;
/** How long a first Ctrl-C waits for a second. */
const secondSignalMs = 2_000;
const unsuccessfulShown = 20;

/** How a set was left. */
export type Followed = "succeeded" | "unsuccessful" | "detached";

/** How to follow. */
export interface FollowOptions {
  readonly json?: boolean;
  /** Ends following without a word, as a detachment. */
  readonly signal?: AbortSignal;
  /** A task whose output is written as it comes; what is told about it goes to standard error then. */
  readonly outputOf?: string;
  /** Leaves Ctrl-C to the caller. */
  readonly ownSignals?: boolean;
}

/** Follows until every task is final, or the user detaches. */
export async function follow(client: BerthClient, set: string, io: Io, options: FollowOptions = {}): Promise<Followed> {
  const known = (await client.registry.getTaskSet({ set })).taskSet;
  const board = new Board(Number(known?.taskCount ?? 0));
  const outputOf = options.json === true ? undefined : options.outputOf;
  const drawn = io.terminal && options.json !== true && outputOf === undefined;
  const screen = new Screen(io);
  const startedMs = known?.createTime?.getTime() ?? systemClock.wallMs();
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  let note: string | undefined;
  const draw = () =>
    screen.draw([...board.lines(io, systemClock.wallMs(), startedMs), ...(note === undefined ? [] : [note])]);
  const line = (text: string) => {
    if (drawn) screen.clear();
    io.writeError(`${text}\n`);
  };
  const tell = outputOf === undefined ? (text: string) => say(io, text) : line;
  const release = options.ownSignals === true ? () => undefined : onInterrupts(client, set, stop, line);
  const redraw = drawn ? setInterval(draw, redrawMs) : undefined;
  const output = outputOf === undefined ? undefined : followOutput(client, outputOf, io, signal);
  try {
    await client.wait(set, {
      signal,
      onTask(task) {
        const before = board.take(task);
        if (options.json === true)
          printJson(
            io,
            {
              kind: "task",
              task: task.task,
              state: stateWord(task.state),
              attempt: task.attempt,
              pool: task.pool,
              runner: task.runner,
              reason: task.stateReason,
            },
            { oneLine: true },
          );
        else if (!drawn) {
          const text = changeLine(io, board, before, task);
          if (text !== undefined) tell(text);
        }
      },
      onConnection(error) {
        note =
          error === undefined ? undefined : paint(io, "yellow", `connection lost (${error.message}); trying again`);
        if (!drawn) line(note ?? "connected again");
      },
    });
    await output;
  } catch (error) {
    if (!signal.aborted) throw error;
    if (drawn) screen.clear();
    return "detached";
  } finally {
    clearInterval(redraw);
    release();
    if (drawn) {
      draw();
      screen.finish();
    }
  }
  return conclude(board, set, tell, io, startedMs, options);
}

function conclude(
  board: Board,
  set: string,
  tell: (text: string) => void,
  io: Io,
  startedMs: number,
  options: FollowOptions,
): Followed {
  const bad = board.unsuccessful;
  const elapsed = formatDuration(systemClock.wallMs() - startedMs);
  if (options.json === true)
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
    tell(`${paint(io, "red", "not all succeeded")}: ${bad.length} of ${board.total} tasks of set ${set} (${elapsed})`);
    for (const task of bad.slice(0, unsuccessfulShown))
      tell(`  ${task.task} ${paintState(io, task.state)}${task.stateReason === "" ? "" : ` - ${task.stateReason}`}`);
    if (bad.length > unsuccessfulShown)
      tell(`  and ${bad.length - unsuccessfulShown} more: berth tasks --set ${set} --state failed,skipped,cancelled`);
    const failed = bad.find((task) => stateWord(task.state) === "failed") as registry.Task | undefined;
    if (failed !== undefined) tell(`see why: berth logs ${failed.task}   try again: berth retry --set ${set} --failed`);
  }
  return bad.length === 0 ? "succeeded" : "unsuccessful";
}

function onInterrupts(
  client: BerthClient,
  set: string,
  stop: AbortController,
  line: (text: string) => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let cancelled = false;
  const onInterrupt = () => {
    if (cancelled) {
      line(`leaving; the set is being cancelled. See how it goes: berth watch ${set}`);
      stop.abort();
    } else if (timer === undefined) {
      line(
        `detaching: the tasks go on. Ctrl-C again within ${secondSignalMs / 1_000} s cancels them. Come back with: berth watch ${set}`,
      );
      timer = setTimeout(() => stop.abort(), secondSignalMs);
    } else {
      clearTimeout(timer);
      cancelled = true;
      line(`cancelling set ${set}; waiting for what runs to stop`);
      client.cancel(set, "cancelled by Ctrl-C").catch((error: Error) => line(`cancelling failed: ${error.message}`));
    }
  };
  process.on("SIGINT", onInterrupt);
  return () => {
    clearTimeout(timer);
    process.off("SIGINT", onInterrupt);
  };
}
