// What a set looks like while it runs: a model that takes changes, and lines to show.
import { finalStates } from "@berth/client";
import { formatDuration } from "@berth/client/quantities";
import { registry } from "@berth/contracts";
import { bar, cut, type Io, paint, widthOf } from "./io.js";
import { paintState, stateWord } from "./states.js";

const State = registry.Task_State;
const runningShown = 8;

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
    return this.count(...finalStates);
  }

  /** Tasks that ended in any other way than well. */
  get unsuccessful(): registry.Task[] {
    return [...this.#tasks.values()].filter((task) => finalStates.has(task.state) && task.state !== State.SUCCEEDED);
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

  /** One line of numbers: `12/42 done, 4 running, 3 ready, 1 failed`. */
  summary(io: Io): string {
    const parts: [string, number, registry.Task_State][] = [
      ["running", this.count(State.RUNNING, State.ASSIGNED), State.RUNNING],
      ["ready", this.count(State.READY), State.READY],
      ["waiting", this.count(State.PENDING), State.PENDING],
      ["waiting to try again", this.count(State.BACKING_OFF), State.BACKING_OFF],
      ["cancelling", this.count(State.CANCELLING), State.CANCELLING],
      ["failed", this.count(State.FAILED), State.FAILED],
      ["skipped", this.count(State.SKIPPED), State.SKIPPED],
      ["cancelled", this.count(State.CANCELLED), State.CANCELLED],
    ];
    const shown = parts
      .filter(([, count]) => count > 0)
      .map(([word, count, state]) => paintState(io, state, `${count} ${word}`));
    return [`${this.done}/${this.#total} done`, ...shown].join(", ");
  }

  /** What a terminal shows: the bar, and what runs. */
  lines(io: Io, now: number, startedMs: number): string[] {
    const columns = io.columns() - 1;
    const elapsed = formatDuration(now - startedMs);
    const width = Math.max(10, Math.min(40, columns - 50));
    const full = `${paint(io, "green", bar(this.done, this.#total, width))}  ${this.summary(io)}  ${paint(io, "dim", elapsed)}`;
    // A line that wraps would spoil the redrawing.
    const head = widthOf(full) <= columns ? full : cut(this.summary({ ...io, colour: false }), columns);
    const running = this.running;
    const shown = running.slice(0, runningShown);
    const widest = (texts: string[]) => Math.max(0, ...texts.map((text) => text.length));
    const idWidth = Math.min(40, widest(shown.map(idOf)));
    const poolWidth = Math.min(20, widest(shown.map((task) => task.pool)));
    const lines = shown.map((task) => {
      const since = task.startTime === undefined ? "starting" : formatDuration(now - task.startTime.getTime());
      const progress = task.progress > 0 ? `  ${Math.round(task.progress * 100)} % ${task.progressMessage}` : "";
      const attempt = task.attempt > 1 ? `  attempt ${task.attempt}` : "";
      const place = `${idOf(task).padEnd(idWidth)}  ${task.pool.padEnd(poolWidth)}`;
      return cut(`  ${place}  ${since}${attempt}${progress}`, columns);
    });
    if (running.length > runningShown) lines.push(`  and ${running.length - runningShown} more`);
    const free = Math.max(0, runningShown - shown.length);
    return [
      head,
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

/** `build waits 10s to try again - exit code 1`. */
function backOffLine(task: registry.Task, now: number): string {
  const leftMs = (task.readyTime?.getTime() ?? now) - now;
  const wait = leftMs > 0 ? `waits ${formatDuration(leftMs)} to try again` : "is about to try again";
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
