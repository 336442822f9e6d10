// Waiting for the end: of a set, and of one task for its result.
import { finalStates, type Task, type TaskSelection, type TaskSet, type TaskState } from "./task.js";
import { Tally, type WatchOptions } from "./watch.js";

/** How to wait for a set. */
export interface WaitOptions extends Pick<WatchOptions, "signal" | "onConnection"> {
  /** Called with every change that is seen on the way. */
  readonly onTask?: (task: Task) => void;
}

/** How to wait for a result. */
export type ResultOptions = Pick<WatchOptions, "signal" | "onConnection">;

/** A task whose result was asked for has ended without one: it failed for good, was cancelled, or was skipped. */
export class TaskUnsuccessful extends Error {
  override readonly name = "TaskUnsuccessful";
  /** The task, `{set}/{task}`. */
  readonly task: string;
  /** How it ended: `FAILED`, `CANCELLED` or `SKIPPED`. */
  readonly state: TaskState;
  /** Why, in one line: the last failure, what was said at its cancellation, or the task for whose sake it was skipped. */
  readonly reason: string;

  constructor({ task, state, stateReason }: Pick<Task, "task" | "state" | "stateReason">) {
    super(`task ${task} is ${state}${stateReason === "" ? "" : `: ${stateReason}`}`);
    this.task = task;
    this.state = state;
    this.reason = stateReason;
  }
}

/** What waiting asks of a client. */
export interface Waitable {
  watch(selection: TaskSelection, options: WatchOptions): AsyncIterable<Task>;
  readSet(set: string, signal: AbortSignal | undefined): Promise<TaskSet>;
  readTask(task: string, signal: AbortSignal | undefined): Promise<Task>;
}

/** Waits until every task of a set is final. Rejects with the signal's reason once that aborts. */
export function waitForSet(client: Waitable, set: string, options: WaitOptions): Promise<TaskSet> {
  return untilAborted(options.signal, finalSet(client, set, options));
}

async function finalSet(client: Waitable, set: string, options: WaitOptions): Promise<TaskSet> {
  const { onTask, ...watching } = options;
  let known = await client.readSet(set, options.signal);
  if (known.done && onTask === undefined) return known;
  const tally = new Tally();
  for await (const task of client.watch(set, watching)) {
    tally.take(task);
    onTask?.(task);
    if (tally.final < tally.total || tally.total < known.taskCount) continue;
    known = await client.readSet(set, options.signal);
    if (known.done) return known;
  }
  throw new Error(`the watch of set ${set} ended`);
}

/**
 * Waits until a task is final. Returns the JSON of one that succeeded, parsed; undefined if it gave none. Rejects with the signal's
 * reason once that aborts.
 */
export async function waitForResult(client: Waitable, name: string, options: ResultOptions): Promise<unknown> {
  const task = await untilAborted(options.signal, finalTask(client, name, options));
  if (task.state !== "SUCCEEDED") throw new TaskUnsuccessful(task);
  return task.resultJson.length === 0 ? undefined : JSON.parse(Buffer.from(task.resultJson).toString("utf8"));
}

async function finalTask(client: Waitable, name: string, options: ResultOptions): Promise<Task> {
  // Asked first, since a watch of a task that isn't there would wait for it to come; and asked last, since a watch tells no results.
  for (;;) {
    const now = await client.readTask(name, options.signal);
    if (finalStates.has(now.state)) return now;
    await seenFinal(client.watch([name], options), name);
  }
}

async function seenFinal(changes: AsyncIterable<Task>, name: string): Promise<void> {
  for await (const task of changes) if (finalStates.has(task.state)) return;
  throw new Error(`the watch of task ${name} ended`);
}

/** What an abort ends is told by the caller's own reason, whichever call it met. */
async function untilAborted<T>(signal: AbortSignal | undefined, waiting: Promise<T>): Promise<T> {
  try {
    return await waiting;
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}
