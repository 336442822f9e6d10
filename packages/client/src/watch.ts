// Watching with resume: a broken connection costs a delay, never a change.

import type { registry } from "@berth/contracts";
import { type Clock, delay, systemClock } from "@berth/wire/clock";
import { type Reason, ReasonError } from "@berth/wire/grpc";
import { finalStates, type Task, type TaskState } from "./task.js";

const firstDelayMs = 100;
const longestDelayMs = 5_000;
// What a moment later may be answered; anything else is for the caller.
// CANCELLED is what a stream gets whose server is stopped; our own abort is told apart before.
const passing: ReadonlySet<Reason> = new Set<Reason>([
  "UNREACHABLE",
  "NOT_READY",
  "STORE_STALLED",
  "READER_TOO_SLOW",
  "TOO_MANY_STREAMS",
  "QUEUE_FULL",
  "CANCELLED",
]);

/** How a watch is made. */
export interface WatchOptions {
  /** Only changes after this revision. Default: everything that matches now, then every change. */
  readonly afterRevision?: bigint;
  /** How much of a task to tell. Default basic: no run, attempts or events. */
  readonly view?: registry.View;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
  /** Called when the connection breaks, and with undefined when it is back. */
  readonly onConnection?: (error: Error | undefined) => void;
  /** Time. Default: the machine's. */
  readonly clock?: Clock;
}

type Open = (resumeRevision: bigint, signal: AbortSignal) => AsyncIterable<registry.WatchTasksResponse>;

/**
 * Yields every change, in batches. Reconnects with back-off for as long as it isn't aborted; ends when it is; throws a
 * ReasonError that a retry can't help. If the registry forgot the revision, everything that matches is told once more.
 */
export async function* watchTasks(open: Open, options: WatchOptions): AsyncGenerator<registry.Task[]> {
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  let revision = options.afterRevision ?? 0n;
  let delayMs = firstDelayMs;
  let broken = false;
  try {
    while (!signal.aborted) {
      try {
        for await (const batch of open(revision, signal)) {
          delayMs = firstDelayMs;
          if (broken) options.onConnection?.(undefined);
          broken = false;
          if (batch.tasks.length > 0) yield batch.tasks;
          if (batch.revision > revision) revision = batch.revision;
        }
      } catch (thrown) {
        if (signal.aborted) return;
        const error = ReasonError.from(thrown);
        if (error.reason === "REVISION_GONE") revision = 0n;
        else if (!passing.has(error.reason)) throw error;
        if (!broken) options.onConnection?.(error);
        broken = true;
      }
      await delay(options.clock ?? systemClock, delayMs, signal);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
    }
  } finally {
    stop.abort();
  }
}

/** Counts the tasks that a watch told of, and those of them that are final. */
export class Tally {
  readonly #states = new Map<string, TaskState>();
  #final = 0;

  /** Takes a change. */
  take(task: Pick<Task, "task" | "state">): void {
    const before = this.#states.get(task.task);
    if (before !== undefined && finalStates.has(before)) this.#final -= 1;
    if (finalStates.has(task.state)) this.#final += 1;
    this.#states.set(task.task, task.state);
  }

  /** Tasks heard of. */
  get total(): number {
    return this.#states.size;
  }

  /** Tasks that are final. */
  get final(): number {
    return this.#final;
  }
}
