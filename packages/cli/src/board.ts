// What a set looks like while it runs: a model that takes changes, and lines to show.
import { formatDuration } from "@berth/client/quantities";
import { registry } from "@berth/contracts";
import { bar, cut, type Io, paint, widthOf } from "./io.js";
import { paintState, stateWord } from "./states.js";
import { isFinal } from "./wire.js";

const State = registry.Task_State;
const runningShown = 8;
/** Columns of a bar that says something. */
const barLeast = 10;

/** The state of a set, by what a watch told. */
export class Board {
  readonly #tasks = new Map<string, registry.Task>();
  #total: number;
  #moves = 0;

  /** @param total tasks that the set is known to have. */
  constructor(total: number) {
    this.#total = total;
  }

  /** Takes a change; returns what there was before. */
  take(task: registry.Task): registry.Task | undefined {
    const before = this.#tasks.get(task.task);
    if (before === undefined || before.state !== task.state || before.attempt !== task.attempt) this.#moves += 1;
    this.#tasks.set(task.task, task);
    this.#total = Math.max(this.#total, this.#tasks.size);
    return before;
  }

  /** Number of tasks in one of the states. */
  count(...states: registry.Task_State[]): number {
    let count = 0;
    for (const task of this.#tasks.values()) if (states.includes(task.state)) count += 1;
    return count;
  }

  /** Grows with every change of a task's state. */
  get moves(): number {
    return this.#moves;
  }

  /** The first task heard of that is in this state. */
  first(state: registry.Task_State): registry.Task | undefined {
    for (const task of this.#tasks.values()) if (task.state === state) return task;
    return undefined;
  }

  /** Tasks in all. */
  get total(): number {
    return this.#total;
  }

  /** Tasks that are final. */
  get done(): number {
    return [...this.#tasks.values()].filter((task) => isFinal(task.state)).length;
  }

  /** Tasks that ended in any other way than well. */
  get unsuccessful(): registry.Task[] {
    return [...this.#tasks.values()].filter((task) => isFinal(task.state) && task.state !== State.SUCCEEDED);
  }

  /** Tasks whose run has begun, or is about to, longest first. */
  get running(): registry.Task[] {
    const alive = [...this.#tasks.values()].filter((task) =>
      [State.RUNNING, State.ASSIGNED, State.CANCELLING].some((state) => state === task.state),
    );
    return alive.sort(
      (left, right) =>
        (left.startTime?.getTime() ?? Infinity) - (right.startTime?.getTime() ?? Infinity) ||
        left.task.localeCompare(right.task),
    );
  }

  /** Tasks that wait for their next attempt, the next first. */
  get backingOff(): registry.Task[] {
    const waiting = [...this.#tasks.values()].filter((task) => task.state === State.BACKING_OFF);
    return waiting.sort((left, right) => (left.readyTime?.getTime() ?? 0) - (right.readyTime?.getTime() ?? 0));
  }

  /** Numbers, each a phrase in its colour, what ended badly first: where there is room for few, these matter most. */
  #counts(io: Io): string[] {
    const parts: [number, registry.Task_State][] = [
      [this.count(State.FAILED), State.FAILED],
      [this.count(State.RUNNING, State.ASSIGNED), State.RUNNING],
      [this.count(State.READY), State.READY],
      [this.count(State.PENDING), State.PENDING],
      [this.count(State.BACKING_OFF), State.BACKING_OFF],
      [this.count(State.CANCELLING), State.CANCELLING],
      [this.count(State.SKIPPED), State.SKIPPED],
      [this.count(State.CANCELLED), State.CANCELLED],
    ];
    return parts
      .filter(([count]) => count > 0)
      .map(([count, state]) => paintState(io, state, `${count} ${stateWord(state)}`));
  }

  /** One line of numbers: `12/42 done, 1 failed, 4 running, 3 queued`. */
  summary(io: Io): string {
    return [`${this.done}/${this.#total} done`, ...this.#counts(io)].join(", ");
  }

  /** Bar, numbers and time: on one line where they fit, otherwise the numbers of states below, as many as fit. */
  #head(io: Io, columns: number, elapsed: string): string[] {
    const done = `${this.done}/${this.#total} done`;
    const time = paint(io, "dim", elapsed);
    const barOf = (width: number) => paint(io, "green", bar(this.done, this.#total, width));
    const one = (width: number) => `${barOf(width)}  ${this.summary(io)}  ${time}`;
    const width = Math.min(40, columns - widthOf(one(0)));
    if (width >= barLeast) return [one(width)];
    const room = columns - widthOf(`  ${done}  ${elapsed}`);
    // Only a terminal of a few columns has no room for a bar.
    const first = room < 1 ? cut(`${done}  ${elapsed}`, columns) : `${barOf(Math.min(40, room))}  ${done}  ${time}`;
    let second = "";
    for (const part of this.#counts(io)) {
      const next = second === "" ? `  ${part}` : `${second}, ${part}`;
      if (widthOf(next) > columns) break;
      second = next;
    }
    return second === "" ? [first] : [first, second];
  }

  /**
   * What a terminal shows: the bar, what runs, and what waits for its next attempt. No line is wider than the terminal: one that
   * wraps would spoil the redrawing.
   */
  lines(io: Io, now: number, startedMs: number): string[] {
    const columns = io.columns() - 1;
    const head = this.#head(io, columns, formatDuration(now - startedMs));
    const running = this.running;
    const shown = running.slice(0, runningShown);
    const widest = (texts: string[]) => Math.max(0, ...texts.map((text) => text.length));
    // The time stays in sight where names are long.
    const idWidth = Math.min(40, widest(shown.map(idOf)), Math.max(8, Math.floor(columns / 2)));
    const poolWidth = Math.min(20, widest(shown.map((task) => task.pool)), Math.max(4, Math.floor(columns / 5)));
    const lines = shown.map((task) => {
      const since = task.startTime === undefined ? "starting" : formatDuration(now - task.startTime.getTime());
      const progress = task.progress > 0 ? `  ${Math.round(task.progress * 100)} % ${task.progressMessage}` : "";
      const attempt = task.attempt > 1 ? `  attempt ${task.attempt}` : "";
      const place = `${cut(idOf(task), idWidth).padEnd(idWidth)}  ${cut(task.pool, poolWidth).padEnd(poolWidth)}`;
      return cut(`  ${place}  ${since}${attempt}${progress}`, columns);
    });
    if (running.length > runningShown) lines.push(cut(`  and ${running.length - runningShown} more`, columns));
    const free = Math.max(0, runningShown - shown.length);
    return [
      ...head,
      ...lines,
      ...this.backingOff.slice(0, free).map((task) => cut(`  ${backOffLine(task, now)}`, columns)),
    ];
  }
}

/** A change in one line, for where there is no terminal; undefined where nothing worth a line happened. */
export function changeLine(
  io: Io,
  board: Board,
  before: registry.Task | undefined,
  task: registry.Task,
  now: number,
): string | undefined {
  const moved = before === undefined || before.state !== task.state || before.attempt !== task.attempt;
  const quiet = [State.PENDING, State.READY, State.ASSIGNED].some((state) => state === task.state);
  if (!moved || quiet) return undefined;
  const place = `[${board.done}/${board.total}]`;
  if (task.state === State.BACKING_OFF) return `${place} ${paintState(io, task.state, backOffLine(task, now))}`;
  const parts = [place, idOf(task), paintState(io, task.state, stateWord(task.state))];
  if (task.attempt > 1) parts.push(`(attempt ${task.attempt})`);
  if (task.state === State.RUNNING) parts.push(`in ${task.pool} on ${task.runner}`);
  else if (task.state === State.SUCCEEDED) parts.push(took(task));
  else if (task.stateReason !== "") parts.push(`- ${task.stateReason}`);
  return parts.filter((part) => part !== "").join(" ");
}

/** `build retrying in 10s - exit code 1`. */
function backOffLine(task: registry.Task, now: number): string {
  const leftMs = (task.readyTime?.getTime() ?? now) - now;
  const wait = leftMs > 0 ? `retrying in ${formatDuration(leftMs)}` : "retrying now";
  return `${idOf(task)} ${wait}${task.stateReason === "" ? "" : ` - ${task.stateReason}`}`;
}

/** Id within the set: the set itself is known to whoever follows it. */
function idOf(task: registry.Task): string {
  return task.task.slice(task.task.indexOf("/") + 1);
}

function took(task: registry.Task): string {
  return task.startTime === undefined || task.endTime === undefined
    ? ""
    : `in ${formatDuration(task.endTime.getTime() - task.startTime.getTime())}`;
}
