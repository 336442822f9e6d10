import { type Clock, delay, type Timer } from "../clock/index.js";
import { describe, isA } from "../errors/index.js";
import type { Logger } from "../log/index.js";
import { DirtyRows } from "./dirty.js";
import { CommitRefused, type Core, type EngineStore, type Group, LeadLost, type Loaded } from "./port.js";
import { over, refusalOf, stalled } from "./refusals.js";

/** Where an engine stands; see the README of the chassis. */
export type EngineState = "new" | "loading" | "running" | "stalled" | "failed" | "stopped";

/** What was committed. */
export interface Commit<Change> {
  /** Number of the commit. */
  readonly n: number;
  /** Wall clock of the commit, milliseconds since 1970. */
  readonly wallMs: number;
  /** Its changes, in order. */
  readonly changes: readonly Change[];
}

/** Settings of an engine. */
export interface EngineOptions<Command, Outcome, Change, Row> {
  /** The rules. */
  readonly core: Core<Command, Outcome, Change, Row>;
  /** Where commits go. */
  readonly store: EngineStore<Change, Row>;
  /** Puts the live rows into the core, before the journal is replayed. */
  readonly load: (rows: readonly Row[]) => void;
  /** Time. */
  readonly clock: Clock;
  /** Where to log. */
  readonly logger: Logger;
  /** Name of the service, for logs and errors. */
  readonly name: string;
  /** Who this process is, for the leader row; default `name`. */
  readonly holder?: string;
  /** Called once when the engine fails: the process must exit. */
  readonly onFailed: (error: Error) => void;
  /** Most commands that wait; default 10,000. */
  readonly maxQueuedCommands?: number;
  /** Most commands in one group; default 1,000. */
  readonly maxGroupCommands?: number;
  /** Commits after which the row of a live subject is written; default 512. */
  readonly checkpointAfterGroups?: number;
  /** Most such rows in one commit; default 200. */
  readonly checkpointRowsMax?: number;
  /** Longest wait of a caller for a stalled commit, in milliseconds; default 5,000. */
  readonly holdMs?: number;
}

/** A command that changes and asks nothing: it is there for the commit. */
const confirmation = Symbol("confirmation");

interface Waiting<Command, Outcome> {
  readonly command: Command | typeof confirmation;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

const retryMs = { first: 20, most: 1_000 };

/** Runs a core: one command at a time, commits in numbered groups, one group in flight. The README of the chassis has the whole story. */
export class Engine<Command, Outcome, Change, Row> {
  private readonly options: Required<EngineOptions<Command, Outcome, Change, Row>>;
  private readonly queue: Waiting<Command, Outcome>[] = [];
  private readonly listeners = new Set<(commit: Commit<Change>) => void>();
  private readonly dirty = new DirtyRows();
  private readonly counted = { commits: 0, commands: 0, changes: 0, rows: 0 };
  private readonly stopping = new AbortController();
  private current: EngineState = "new";
  private currentEpoch = 0;
  private currentN = 0;
  private sentMs = Number.NEGATIVE_INFINITY;
  private flight: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private stallText = "";
  private holdTimer: Timer | undefined;
  private waitingGroup: readonly Waiting<Command, Outcome>[] = [];

  constructor(options: EngineOptions<Command, Outcome, Change, Row>) {
    this.options = {
      maxQueuedCommands: 10_000,
      maxGroupCommands: 1_000,
      checkpointAfterGroups: 512,
      checkpointRowsMax: 200,
      holdMs: 5_000,
      holder: options.name,
      ...options,
    };
  }

  /** Where the engine stands. */
  get state(): EngineState {
    return this.current;
  }

  /** Epoch of this leader; 0 before it leads. */
  get epoch(): number {
    return this.currentEpoch;
  }

  /** Number of the last commit. */
  get n(): number {
    return this.currentN;
  }

  /** Interval clock when the last commit that went through was begun; never before the first. */
  get confirmedMs(): number {
    return this.sentMs;
  }

  /** Figures since the start, and the commands that wait now. */
  get figures(): { commits: number; commands: number; changes: number; rows: number; queued: number } {
    return { ...this.counted, queued: this.queue.length };
  }

  /**
   * Takes the leadership, loads and replays. Ready for commands when it resolves. A standby gives the epoch that it has `seen` stand still;
   * rejects with {@link LeadLost} if another process was quicker, and may then be started again.
   */
  async start(seen?: number): Promise<void> {
    if (this.current !== "new") return;
    this.current = "loading";
    const { store, core, load, name, holder, clock, logger } = this.options;
    const beganMs = clock.monoMs();
    let loaded: Loaded<Change, Row>;
    try {
      loaded = await store.lead(holder, seen);
    } catch (error) {
      // Nothing was taken in yet, so this engine is as good as new.
      if (this.current === "loading") this.current = "new";
      throw error;
    }
    // Stopped meanwhile: nothing is decided any more, and the store is closed.
    if (this.current !== "loading") return;
    load(loaded.rows);
    for (const group of loaded.groups) {
      for (const change of group.changes) {
        core.apply(change);
        this.markDirty(change, group.n);
      }
    }
    this.currentEpoch = loaded.epoch;
    this.currentN = loaded.n;
    this.sentMs = beganMs;
    this.current = "running";
    const tookMs = Math.round(clock.monoMs() - beganMs);
    logger.info(
      { epoch: loaded.epoch, n: loaded.n, rows: loaded.rows.length, replayed: loaded.groups.length, tookMs },
      `${name} leads`,
    );
  }

  /** Decides a command and resolves with its outcome after the commit that it rests on. */
  submit(command: Command): Promise<Outcome> {
    return this.enqueue(command);
  }

  /** Settles after a commit of this epoch that was begun after this call; an empty one if there is nothing else to commit. */
  async confirm(): Promise<void> {
    await this.enqueue(confirmation);
  }

  private enqueue(command: Command | typeof confirmation): Promise<Outcome> {
    const { name, maxQueuedCommands: most } = this.options;
    const refusal = refusalOf(name, { state: this.current, queued: this.queue.length, most, stall: this.stallText });
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.queue.push({ command, resolve, reject });
      this.flight ??= this.fly();
    });
  }

  /** Calls `listener` after each commit that changed something, in order, before its commands are answered. Returns what ends it. */
  onCommit(listener: (commit: Commit<Change>) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * Answers what waits, gives the leadership up, then closes the store. A commit that stalls is tried for `holdMs` more, then given up. Safe to
   * call twice.
   */
  stop(): Promise<void> {
    this.stopped ??= this.stopOnce();
    return this.stopped;
  }

  private async stopOnce(): Promise<void> {
    if (this.current !== "failed") this.current = "stopped";
    if (this.flight !== undefined) {
      const landed = new AbortController();
      const flight = this.flight.finally(() => landed.abort());
      await Promise.race([flight, delay(this.options.clock, this.options.holdMs, landed.signal)]);
    }
    this.stopping.abort();
    this.current = "stopped";
    await this.flight;
    this.holdTimer?.cancel();
    this.refuseWaiting();
    await this.resign();
    await this.options.store.close();
  }

  /** A successor that is told needn't wait. One that isn't waits; so nothing depends on this. */
  private async resign(): Promise<void> {
    const { store, logger, name } = this.options;
    if (this.currentEpoch === 0) return;
    try {
      await store.resign(this.currentEpoch);
    } catch (error) {
      logger.warn({ err: error }, `${name} couldn't give up its leadership; a standby will take over later`);
    }
  }

  /** Commits group after group until nothing waits. */
  private async fly(): Promise<void> {
    try {
      // The end of the event-loop turn: everything that arrived together goes into one group.
      await new Promise<void>((resolve) => setImmediate(resolve));
      while (this.queue.length > 0 && (this.current === "running" || this.current === "stopped"))
        // A group that is given up may be at rest or not: nothing may be decided behind it.
        if (!(await this.commitOne())) return;
    } catch (error) {
      this.fail(isA(error, Error) ? error : new Error(describe(error)));
    } finally {
      this.flight = undefined;
    }
  }

  /** Decides and commits one group. False if it had to be given up. */
  private async commitOne(): Promise<boolean> {
    const { core, clock } = this.options;
    const batch = this.queue.splice(0, this.options.maxGroupCommands);
    this.waitingGroup = batch;
    const now = { monoMs: clock.monoMs(), wallMs: clock.wallMs() };
    const outcomes: Outcome[] = [];
    const changes: Change[] = [];
    const n = this.currentN + 1;
    let silent = true;
    for (const { command } of batch) {
      if (command === confirmation) {
        outcomes.push(undefined as Outcome);
        silent = false;
        continue;
      }
      const decision = core.decide(command, now);
      silent &&= decision.silent === true && decision.changes.length === 0;
      outcomes.push(decision.outcome);
      for (const change of decision.changes) {
        changes.push(change);
        this.markDirty(change, n);
      }
    }
    if (silent) {
      this.answer(batch, outcomes);
      return true;
    }
    const { rows, keys, finals } = this.rowsToWrite(changes, n);
    // With the written rows gone from the dirty ones, the oldest left tells how far back a replay must begin.
    for (const key of keys) this.dirty.delete(key);
    const group: Group<Change, Row> = {
      epoch: this.currentEpoch,
      n,
      wallMs: now.wallMs,
      changes,
      rows,
      replayFrom: this.dirty.oldest ?? n + 1,
    };
    if (!(await this.commitSurely(group))) return false;
    this.currentN = n;
    this.sentMs = now.monoMs;
    this.counted.commits++;
    this.counted.changes += changes.length;
    this.counted.rows += rows.length;
    for (const key of finals) core.written?.(key);
    if (changes.length > 0) for (const listener of this.listeners) listener({ n, wallMs: now.wallMs, changes });
    this.answer(batch, outcomes);
    return true;
  }

  private answer(batch: readonly Waiting<Command, Outcome>[], outcomes: readonly Outcome[]): void {
    this.waitingGroup = [];
    this.counted.commands += batch.length;
    for (const [index, waiting] of batch.entries()) waiting.resolve(outcomes[index] as Outcome);
  }

  private markDirty(change: Change, n: number): void {
    const key = this.options.core.rowKey(change);
    if (key !== undefined) this.dirty.add(key, n);
  }

  private rowsToWrite(changes: readonly Change[], n: number): { rows: Row[]; keys: string[]; finals: string[] } {
    const { core, checkpointAfterGroups, checkpointRowsMax } = this.options;
    const rows: Row[] = [];
    const keys: string[] = [];
    const finals: string[] = [];
    const take = (key: string, evenLive: boolean): void => {
      const found = core.row(key);
      if (!found) return void keys.push(key);
      if (!found.final && !evenLive) return;
      rows.push(found.row);
      keys.push(key);
      if (found.final) finals.push(key);
    };
    const touched = new Set<string>();
    for (const change of changes) {
      const key = core.rowKey(change);
      if (key !== undefined) touched.add(key);
    }
    for (const key of touched) take(key, false);
    for (const key of this.dirty.before(n - checkpointAfterGroups, checkpointRowsMax))
      if (!touched.has(key)) take(key, true);
    return { rows, keys, finals };
  }

  /** Commits a group, settling every doubt by the leader row. False if the engine was stopped before that was possible. */
  private async commitSurely(group: Group<Change, Row>): Promise<boolean> {
    const { store, clock, logger, name } = this.options;
    let waitMs = retryMs.first;
    let sent = false;
    for (;;) {
      try {
        if (!sent || !(await this.isCommitted(group))) {
          sent = true;
          await store.commit(group);
        }
        this.holdTimer?.cancel();
        if (this.current === "stalled") {
          this.current = "running";
          logger.info({ n: group.n }, `${name} commits again`);
        }
        return true;
      } catch (error) {
        if (error instanceof LeadLost && !(await this.committedAfterAll(group))) throw error;
        if (error instanceof LeadLost) return true;
        if (error instanceof CommitRefused) throw error;
        this.stall(error, group.n);
        await delay(clock, waitMs, this.stopping.signal);
        waitMs = Math.min(waitMs * 2, retryMs.most);
        if (this.stopping.signal.aborted) return false;
      }
    }
  }

  private async isCommitted(group: Group<Change, Row>): Promise<boolean> {
    const { epoch, n } = await this.options.store.position();
    if (epoch !== group.epoch)
      throw new LeadLost(`the leader row is at epoch ${epoch}, this leader has ${group.epoch}`);
    if (n === group.n) return true;
    if (n === group.n - 1) return false;
    throw new LeadLost(`the leader row is at commit ${n}, this leader is about to make ${group.n}`);
  }

  /** A commit whose answer was lost and that was sent again finds the leader row moved by itself. */
  private async committedAfterAll(group: Group<Change, Row>): Promise<boolean> {
    try {
      return await this.isCommitted(group);
    } catch {
      return false;
    }
  }

  private stall(error: unknown, n: number): void {
    const { logger, name, clock, holdMs } = this.options;
    this.stallText = describe(error);
    if (this.current !== "running") return;
    this.current = "stalled";
    logger.error({ err: error, n }, `${name} can't commit; everything behind it waits`);
    this.holdTimer = clock.setTimer(holdMs, () => this.giveUpWaiting(), { unref: true });
  }

  /** Callers shouldn't hang for as long as a disk is full: they are told, while the group is still tried. */
  private giveUpWaiting(): void {
    if (this.current !== "stalled") return;
    this.rejectWaiting(stalled(this.options.name, this.stallText));
  }

  private fail(error: Error): void {
    if (this.current === "failed") return;
    this.current = "failed";
    const { name, logger, onFailed } = this.options;
    logger.fatal(
      { err: error, epoch: this.currentEpoch, n: this.currentN },
      `${name} has failed and must be started again`,
    );
    this.refuseWaiting();
    onFailed(error);
  }

  private rejectWaiting(error: Error): void {
    for (const waiting of [...this.waitingGroup, ...this.queue.splice(0)]) waiting.reject(error);
  }

  /** Whoever still waits will never be answered by this process. */
  private refuseWaiting(): void {
    this.rejectWaiting(over(this.options.name));
    this.waitingGroup = [];
  }
}
