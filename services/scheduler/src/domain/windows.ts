import { type Entry, TaskClass } from "./entry.js";
import type { Policy } from "./policy.js";
import { byRank } from "./ranked-set.js";
import { type AttemptRef, classKey, type ReadyTask } from "./task.js";

/** What the windows are kept by. */
export interface WindowBounds {
  /** Most bids of one class that stand. */
  readonly bidWindow: number;
  /** Most bids that stand in all, as far as every class may have one. */
  readonly standingBidsMax: number;
  /** Orders the bids. */
  readonly policy: Pick<Policy, "priorityFirst">;
}

/** A bid to place: new, or one whose rank or content changed. */
export interface Bid {
  readonly task: ReadyTask;
  readonly rank: number;
}

/** What leaves for the pool-manager: withdrawals first, then bids. */
export interface BidTraffic {
  readonly withdrawals: readonly AttemptRef[];
  readonly bids: readonly Bid[];
}

/**
 * Keeps, for each class, its best tasks standing at the pool-manager. After every turn with a pool-manager: no window is exceeded,
 * no window has room while a task may take it, and nobody waits who goes before one who stands.
 */
export class BidWindows {
  /** Classes with tasks that have no lease. */
  readonly classes = new Map<string, TaskClass>();
  private readonly bounds: WindowBounds;
  private readonly touched = new Set<TaskClass>();
  private readonly recovering = new Set<Entry>();
  private readonly unsent = new Set<Entry>();
  private withdrawals: AttemptRef[] = [];
  private connected = false;

  constructor(bounds: WindowBounds) {
    this.bounds = bounds;
  }

  /** Bids that stand, or are being withdrawn. */
  get standingBids(): number {
    let count = this.recovering.size;
    for (const one of this.classes.values()) count += one.standing.size + one.withdrawing.size;
    return count;
  }

  /** The class of a task: the one there is, or a new one. */
  classOf(task: ReadyTask): TaskClass {
    const key = this.keyOf(task);
    return this.classes.get(key) ?? new TaskClass(key);
  }

  /** The key of a task's class. */
  keyOf(task: ReadyTask): string {
    return classKey(task, this.bounds.policy.priorityFirst);
  }

  /** Takes in a task without a bid. */
  enter(entry: Entry): void {
    entry.placed = false;
    if (entry.task.assigned) {
      entry.phase = "recovering";
      this.recovering.add(entry);
      if (this.connected) this.unsent.add(entry);
      return;
    }
    entry.phase = "waiting";
    // The class may have been dropped or replaced while the task was elsewhere.
    entry.class = this.classes.get(entry.class.key) ?? entry.class;
    this.classes.set(entry.class.key, entry.class);
    entry.class.waiting.add(entry);
    this.touched.add(entry.class);
  }

  /** Lets a task go. A bid of it that may stand is withdrawn, unless the pool-manager has answered it. */
  leave(entry: Entry, answered: boolean): void {
    this.unsent.delete(entry);
    if (entry.phase === "waiting") entry.class.waiting.remove(entry);
    else if (entry.phase === "standing") entry.class.standing.remove(entry);
    else if (entry.phase === "withdrawing") entry.class.withdrawing.remove(entry);
    else if (entry.phase === "recovering") this.recovering.delete(entry);
    const stands = entry.placed && (entry.phase === "standing" || entry.phase === "recovering");
    if (stands && !answered && this.connected) this.withdraw(entry);
    entry.placed = false;
    this.touched.add(entry.class);
    const { key, size } = entry.class;
    if (size === 0 && this.classes.get(key) === entry.class) this.classes.delete(key);
  }

  /** A withdrawal was answered: the task waits again. Nothing if none was asked for: the answer is then to an earlier bid. */
  withdrawn(entry: Entry): void {
    if (entry.phase !== "withdrawing") return;
    this.leave(entry, true);
    this.enter(entry);
  }

  /** Takes in a task whose earlier bid stands: the new bid replaces it, having the same key. */
  stand(entry: Entry): void {
    entry.class = this.classes.get(entry.class.key) ?? entry.class;
    this.classes.set(entry.class.key, entry.class);
    entry.phase = "standing";
    entry.placed = true;
    entry.class.standing.add(entry);
    this.touched.add(entry.class);
    if (this.connected) this.unsent.add(entry);
  }

  /** The pool-manager is there: every bid that should stand is placed again. */
  connect(): void {
    this.connected = true;
    for (const entry of this.recovering) this.unsent.add(entry);
    for (const one of this.classes.values()) {
      for (const entry of one.standing.behind()) {
        // As if placed: one that a better task displaces before it leaves is withdrawn, and the answer tells if it was granted unheard.
        entry.placed = true;
        this.unsent.add(entry);
      }
      this.touched.add(one);
    }
  }

  /**
   * The pool-manager is away, and its bids with it. The windows stay as they are: whatever was granted unheard is then bid for again
   * first, and brings its lease.
   */
  disconnect(): void {
    this.connected = false;
    this.unsent.clear();
    this.withdrawals = [];
    for (const entry of this.recovering) entry.placed = false;
    for (const one of this.classes.values()) {
      for (const entry of [...one.withdrawing.behind()]) {
        one.withdrawing.remove(entry);
        entry.phase = "standing";
        one.standing.add(entry);
      }
      for (const entry of one.standing.behind()) entry.placed = false;
    }
  }

  /** Ends a turn: settles the windows that were touched and returns what must leave. */
  turn(): BidTraffic {
    if (this.connected) for (const one of this.touched) this.settle(one);
    this.touched.clear();
    const withdrawals = this.withdrawals;
    this.withdrawals = [];
    const bids: Bid[] = [];
    for (const entry of this.unsent) {
      entry.placed = true;
      bids.push({ task: entry.task, rank: entry.rank });
    }
    this.unsent.clear();
    return { withdrawals, bids };
  }

  private settle(one: TaskClass): void {
    const { waiting, standing, withdrawing } = one;
    const { bidWindow, standingBidsMax } = this.bounds;
    const window = Math.max(1, Math.min(bidWindow, Math.floor(standingBidsMax / Math.max(1, this.classes.size))));
    for (let worst = standing.last(); worst && standing.size > window; worst = standing.last()) this.displace(worst);
    for (;;) {
      const best = waiting.first();
      // One that is being withdrawn still goes first: nobody behind it may take its place before it is known where it stands.
      const barrier = withdrawing.first();
      if (!best || (barrier && byRank(barrier, best) < 0)) return;
      const worst = standing.last();
      if (standing.size >= window) {
        if (!worst || byRank(worst, best) < 0) return;
        this.displace(worst);
      }
      waiting.remove(best);
      best.phase = "standing";
      standing.add(best);
      this.unsent.add(best);
    }
  }

  private displace(entry: Entry): void {
    entry.class.standing.remove(entry);
    this.unsent.delete(entry);
    if (entry.placed) {
      entry.phase = "withdrawing";
      entry.class.withdrawing.add(entry);
      this.withdraw(entry);
    } else {
      entry.phase = "waiting";
      entry.class.waiting.add(entry);
    }
  }

  private withdraw(entry: Entry): void {
    this.withdrawals.push({ task: entry.name, attempt: entry.task.attempt });
  }
}
