import type { SchedulerCore } from "./core.js";
import type { Entry, TaskClass } from "./entry.js";
import { byRank, type Ranked } from "./ranked-set.js";

/** The queues in numbers. */
export interface QueueNumbers {
  /** Ready tasks without a lease. */
  readonly queueSize: number;
  /** The same by first pool. */
  readonly queueSizeByPool: ReadonlyMap<string, number>;
  /** When the task that has waited longest became ready, wall clock; undefined if none waits. */
  readonly oldestReadyWallMs: number | undefined;
  readonly standingBids: number;
  readonly classCount: number;
}

/** Counts the queues. Cheap but for the oldest, which looks at every task: once per question, about a millisecond for 100,000. */
export function queueNumbers(core: SchedulerCore): QueueNumbers {
  const byPool = new Map<string, number>();
  let queueSize = 0;
  const count = (pool: string | undefined, tasks: number): void => {
    queueSize += tasks;
    byPool.set(pool ?? "", (byPool.get(pool ?? "") ?? 0) + tasks);
  };
  for (const one of core.windows.classes.values()) count(poolOf(one), one.size);
  for (const entry of core.asides) count(entry.task.pools[0], 1);
  let oldest: number | undefined;
  for (const { phase, task } of core.entries.values()) {
    if (phase === "granted" || phase === "recovering") continue;
    if (oldest === undefined || task.readyWallMs < oldest) oldest = task.readyWallMs;
  }
  const { standingBids, classes } = core.windows;
  return { queueSize, queueSizeByPool: byPool, oldestReadyWallMs: oldest, standingBids, classCount: classes.size };
}

function poolOf(one: TaskClass): string | undefined {
  return (one.standing.first() ?? one.waiting.first() ?? one.withdrawing.first())?.task.pools[0];
}

/** Tasks of a class that go before a task. */
export function aheadOf(entry: Entry): number {
  const { waiting, standing, withdrawing } = entry.class;
  return waiting.countBefore(entry) + standing.countBefore(entry) + withdrawing.countBefore(entry);
}

/**
 * Ready tasks without a lease in the order of trial, from the first one behind `after`, at most `max`. Those that were put aside
 * aren't tried at present and aren't listed.
 */
export function inOrder(core: SchedulerCore, max: number, after?: Ranked, pool = ""): Entry[] {
  const streams: { head: Entry; rest: Iterator<Entry> }[] = [];
  for (const { standing, withdrawing, waiting } of core.windows.classes.values()) {
    for (const set of [standing, withdrawing, waiting]) {
      const head = set.first();
      if (!head || (pool !== "" && !head.task.pools.includes(pool))) continue;
      const rest = set.behind(after);
      const first = rest.next();
      if (!first.done) streams.push({ head: first.value, rest });
    }
  }
  // A merge with a sorted list of heads: the classes are few beside the tasks, and a page is short.
  streams.sort((a, b) => byRank(b.head, a.head));
  const found: Entry[] = [];
  for (let stream = streams.pop(); stream && found.length < max; stream = streams.pop()) {
    found.push(stream.head);
    const next = stream.rest.next();
    if (next.done) continue;
    stream.head = next.value;
    let low = 0;
    let high = streams.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (byRank((streams[middle] as { head: Entry }).head, stream.head) > 0) low = middle + 1;
      else high = middle;
    }
    streams.splice(low, 0, stream);
  }
  return found;
}
