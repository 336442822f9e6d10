import { RankedSet } from "./ranked-set.js";
import type { Grant, ReadyTask } from "./task.js";

/**
 * Where a task stands here; the README tells the story.
 * - `waiting`: ready, no bid. Enters from the registry, or when its bid came back. Leaves for `standing`.
 * - `standing`: its bid is at the pool-manager, or leaves at the end of this turn.
 * - `withdrawing`: a better one took its place; the answer says `waiting` or `granted`.
 * - `recovering`: has a lease that isn't known here; its bid stands outside the window and brings the lease.
 * - `granted`: has a lease; stays until the registry says gone, or names the next attempt.
 * - `aside`: the pool-manager said LOST or INVALID; tried again after a while.
 */
export type Phase = "waiting" | "standing" | "withdrawing" | "recovering" | "granted" | "aside";

/** One attempt at a task, as the scheduler keeps it. */
export interface Entry {
  /** The task's key, {set}/{task}. */
  readonly name: string;
  task: ReadyTask;
  rank: number;
  phase: Phase;
  class: TaskClass;
  /** True once its bid has left and may stand at the pool-manager. */
  placed: boolean;
  /** Number of the registry's snapshot that named it last. */
  snapshot: number;
  /** Its lease, while granted. */
  grant: Grant | undefined;
  /** When to try again, interval clock; while aside. */
  againMonoMs: number;
  /** What the pool-manager said; while aside. */
  message: string;
}

/** The ready tasks that whatever refuses one of them refuses all. Every set is in the order of trial. */
export class TaskClass {
  readonly key: string;
  readonly waiting = new RankedSet<Entry>();
  readonly standing = new RankedSet<Entry>();
  readonly withdrawing = new RankedSet<Entry>();

  constructor(key: string) {
    this.key = key;
  }

  /** Tasks without a lease. */
  get size(): number {
    return this.waiting.size + this.standing.size + this.withdrawing.size;
  }
}
