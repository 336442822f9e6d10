import type { Now } from "@berth/chassis/engine";
import type { Actions, BidResult, Command } from "./command.js";
import type { Entry } from "./entry.js";
import type { Policy, Ranking } from "./policy.js";
import type { Assignment, Grant, ReadyTask } from "./task.js";
import { Waits } from "./waits.js";
import { BidWindows, type WindowBounds } from "./windows.js";

/** Settings of the core. */
export interface CoreOptions extends WindowBounds {
  /** The order of trial. */
  readonly policy: Policy;
  /** Time until a task whose bid was lost or wrong is tried again, in milliseconds. */
  readonly asideMs: number;
}

/**
 * The scheduler's state and rules. `decide` takes everything that came in a turn and says what must leave; no I/O, no clock. Each
 * step costs O(log n), none looks through a queue.
 */
export class SchedulerCore {
  /** Every task that the registry named, by its key. */
  readonly entries = new Map<string, Entry>();
  readonly windows: BidWindows;
  readonly asides = new Set<Entry>();
  readonly waits = new Waits();
  readonly policy: Policy;
  /** Grants since the start. */
  assignmentsTotal = 0;
  /** Leases that came for tasks the registry no longer names; the pool-manager takes them back. */
  unclaimedTotal = 0;
  private readonly options: CoreOptions;
  private readonly ranking: Ranking;
  private readonly byRunner = new Map<string, Set<Entry>>();
  private snapshot = 0;
  private work: Assignment[] = [];
  private refused: Actions["refused"][number][] = [];

  constructor(options: CoreOptions) {
    this.options = options;
    this.policy = options.policy;
    this.ranking = options.policy.begin();
    this.windows = new BidWindows(options);
  }

  /** Decides one turn. */
  decide(commands: readonly Command[], now: Now): Actions {
    for (const command of commands) this.take(command, now);
    const traffic = this.windows.turn();
    const { work, refused } = this;
    this.work = [];
    this.refused = [];
    return { ...traffic, work, refused };
  }

  /** What a runner's process holds and isn't known to have begun. */
  assignmentsOf(runner: string, incarnation: string): Assignment[] {
    const found: Assignment[] = [];
    for (const { task, grant } of this.byRunner.get(runner) ?? []) {
      if (grant?.active && grant.incarnation === incarnation) found.push({ task, grant });
    }
    return found;
  }

  private take(command: Command, now: Now): void {
    switch (command.kind) {
      case "registry-connected":
        this.snapshot++;
        return;
      case "ready":
        for (const task of command.tasks) this.upsert(task);
        for (const name of command.gone) this.forget(this.entries.get(name));
        if (command.complete) this.endSnapshot();
        return;
      case "bids-connected":
        this.windows.connect();
        for (const entry of [...this.asides]) this.tryAgain(entry);
        return;
      case "bids-lost":
        this.windows.disconnect();
        return;
      case "results":
        for (const result of command.results) this.answer(result, now);
        return;
      case "runner-connected":
        this.work.push(...this.assignmentsOf(command.runner, command.incarnation));
        return;
      case "tick":
        for (const entry of [...this.asides]) if (entry.againMonoMs <= now.monoMs) this.tryAgain(entry);
        return;
    }
  }

  private upsert(task: ReadyTask): void {
    const entry = this.entries.get(task.task);
    if (entry && task.attempt < entry.task.attempt) return;
    if (!entry || task.attempt > entry.task.attempt) {
      this.forget(entry);
      this.insert(task);
      return;
    }
    const newSnapshot = entry.snapshot !== this.snapshot;
    entry.snapshot = this.snapshot;
    // A lease that the registry knows and this process doesn't. Where a bid stands its answer is on the way.
    const leaseUnknown = task.assigned && (entry.phase === "waiting" || entry.phase === "aside");
    if (leaseUnknown || (entry.phase === "aside" && newSnapshot)) this.reenter(entry, task);
    else if (entry.phase === "granted" || entry.phase === "recovering" || entry.phase === "withdrawing") return;
    else if (!this.sameInputs(entry, task)) this.reenter(entry, task);
    else entry.task = task;
  }

  /** True if nothing changed that a policy or a limit looks at. The rank isn't asked for again: a policy's state may have moved on. */
  private sameInputs({ task: { priority, sequence }, class: { key } }: Entry, task: ReadyTask): boolean {
    return task.priority === priority && task.sequence === sequence && this.windows.keyOf(task) === key;
  }

  private insert(task: ReadyTask): void {
    const entry: Entry = {
      name: task.task,
      task,
      rank: this.ranking.rank(task),
      phase: "waiting",
      class: this.windows.classOf(task),
      placed: false,
      snapshot: this.snapshot,
      grant: undefined,
      againMonoMs: 0,
      message: "",
    };
    this.entries.set(task.task, entry);
    this.windows.enter(entry);
  }

  /** Puts a task in its place anew. Its bid, if it may stand, is replaced by the next one: the key is the same. */
  private reenter(entry: Entry, task: ReadyTask): void {
    this.asides.delete(entry);
    const stood = entry.phase === "standing" && entry.placed;
    this.windows.leave(entry, true);
    if (!this.sameInputs(entry, task)) {
      this.ranking.ended(entry.task);
      entry.rank = this.ranking.rank(task);
      entry.class = this.windows.classOf(task);
    }
    entry.task = task;
    if (stood && !task.assigned) this.windows.stand(entry);
    else this.windows.enter(entry);
  }

  private forget(entry: Entry | undefined): void {
    if (!entry) return;
    this.entries.delete(entry.name);
    this.ranking.ended(entry.task);
    if (entry.phase === "granted") this.release(entry);
    else if (entry.phase === "aside") this.asides.delete(entry);
    else this.windows.leave(entry, false);
  }

  private endSnapshot(): void {
    for (const entry of [...this.entries.values()]) if (entry.snapshot !== this.snapshot) this.forget(entry);
  }

  private answer(result: BidResult, now: Now): void {
    const entry = this.entries.get(result.task);
    if (!entry || entry.task.attempt !== result.attempt) {
      if (result.verdict === "granted") this.unclaimedTotal++;
      return;
    }
    switch (result.verdict) {
      case "granted":
        this.granted(entry, result.grant, now);
        return;
      case "withdrawn":
        this.windows.withdrawn(entry);
        return;
      case "lost":
      case "invalid":
        this.putAside(entry, result, now);
        return;
    }
  }

  private granted(entry: Entry, grant: Grant, now: Now): void {
    const repeated =
      entry.phase === "granted" && entry.grant?.lease === grant.lease && entry.grant.active === grant.active;
    if (repeated) return;
    if (entry.phase === "granted") this.release(entry);
    else if (entry.phase === "aside") this.asides.delete(entry);
    else {
      // One that is recovered was counted when it was granted.
      if (entry.phase !== "recovering") {
        this.assignmentsTotal++;
        this.waits.note(now.wallMs - entry.task.readyWallMs);
      }
      this.windows.leave(entry, true);
    }
    if (entry.phase !== "granted") this.ranking.granted(entry.task);
    entry.phase = "granted";
    entry.grant = grant;
    const held = this.byRunner.get(grant.runner);
    if (held) held.add(entry);
    else this.byRunner.set(grant.runner, new Set([entry]));
    if (grant.active) this.work.push({ task: entry.task, grant });
  }

  private release(entry: Entry): void {
    const runner = entry.grant?.runner ?? "";
    const held = this.byRunner.get(runner);
    held?.delete(entry);
    if (held?.size === 0) this.byRunner.delete(runner);
  }

  private putAside(entry: Entry, refusal: Extract<BidResult, { message: string }>, now: Now): void {
    if (entry.phase === "granted" || entry.phase === "aside") return;
    this.windows.leave(entry, true);
    entry.phase = "aside";
    entry.againMonoMs = now.monoMs + this.options.asideMs;
    entry.message = refusal.message;
    this.asides.add(entry);
    const { task, attempt, verdict, message } = refusal;
    this.refused.push({ task, attempt, verdict, message });
  }

  private tryAgain(entry: Entry): void {
    this.asides.delete(entry);
    this.windows.enter(entry);
  }
}
