import { type Clock, delay } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import type { Logger } from "@berth/chassis/log";
import { deadlineIn, Guard, type GuardDeadline } from "./guard.js";
import { uptimeMs } from "./processes.mjs";

/** Settings of a guard keeper. */
export interface GuardKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Process groups that are alive, with the start time of each leader: what a new guard is told. */
  survivors(): ReadonlyMap<number, string>;
  /** Called when the guard has died: everything must be killed at once. A new guard is started meanwhile. */
  onDeath(): void;
}

const restartMs = 200;
const handlersIdleMs = 1_000;
/** Deadlines sent without an answer from which the guard counts as dead. They are sent once a renewal. */
const unansweredMax = 3;

/** Sees to it that there is a guard, and that it knows what it must. */
export class GuardKeeper {
  private readonly options: GuardKeeperOptions;
  private guard: Guard | undefined;
  private starting: Promise<void> | undefined;
  private stopped = false;
  private incarnation = "";
  private deadline: GuardDeadline | undefined;
  private handlers = 0;
  private handlersTold = false;
  private handlersIdleAtMs = 0;

  constructor(options: GuardKeeperOptions) {
    this.options = options;
  }

  /** True while a guard listens. Nothing may be started otherwise. */
  get ready(): boolean {
    return this.guard !== undefined;
  }

  /** Process id of the guard; 0 while there is none. */
  get pid(): number {
    return this.guard?.pid ?? 0;
  }

  /** Waits until a guard listens, or the keeper has been stopped. */
  async whenReady(): Promise<void> {
    while (!this.guard && !this.stopped) {
      this.starting ??= this.startOne().finally(() => {
        this.starting = undefined;
      });
      await this.starting;
    }
  }

  /** Begins a session: everything of earlier ones is dead. There is no deadline until the first renewal. */
  begin(incarnation: string): void {
    this.incarnation = incarnation;
    this.guard?.incarnation(incarnation);
  }

  /** A run has begun in a group. */
  add(group: number, start: string): void {
    this.guard?.add(group, start);
  }

  /** A group is empty. */
  gone(group: number): void {
    this.guard?.gone(group);
  }

  /** The deadline is `leftMs` from now. Also finds out whether the guard still answers. */
  moveDeadline(leftMs: number): void {
    this.deadline = deadlineIn(leftMs, uptimeMs());
    this.tellHandlersIdle(false);
    if (!this.guard) return;
    if (this.guard.unanswered >= unansweredMax) {
      this.options.logger.error({ guard: this.guard.pid }, "the guard doesn't answer and is replaced");
      this.guard.kill();
    } else this.guard.deadline(this.deadline);
  }

  /** A handler has begun. */
  handlerBegan(): void {
    this.handlers += 1;
    if (this.handlersTold) return;
    this.handlersTold = true;
    this.guard?.handlers(true);
  }

  /** A handler has ended. The guard is told when none has run for a second, or with `endSession`. */
  handlerEnded(): void {
    this.handlers -= 1;
    if (this.handlers === 0) this.handlersIdleAtMs = this.options.clock.monoMs();
  }

  /** The session has ended: if no handler runs, the guard learns it at once. */
  endSession(): void {
    this.tellHandlersIdle(true);
  }

  /** Stops the guard; it kills what is left. Safe to call twice. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.starting;
    const { guard } = this;
    this.guard = undefined;
    await guard?.stop();
  }

  private tellHandlersIdle(now: boolean): void {
    if (!this.handlersTold || this.handlers > 0) return;
    if (!now && this.options.clock.monoMs() - this.handlersIdleAtMs < handlersIdleMs) return;
    this.handlersTold = false;
    this.guard?.handlers(false);
  }

  private async startOne(): Promise<void> {
    const state = {
      incarnation: this.incarnation,
      groups: new Map(this.options.survivors()),
      handlersRunning: this.handlers > 0,
      deadline: this.deadline,
    };
    try {
      const guard: Guard = await Guard.start(state, () => this.died(guard));
      if (this.stopped) return await guard.stop();
      this.handlersTold = this.handlers > 0;
      if (state.handlersRunning !== this.handlersTold) guard.handlers(this.handlersTold);
      if (state.incarnation !== this.incarnation) guard.incarnation(this.incarnation);
      if (this.deadline && state.deadline !== this.deadline) guard.deadline(this.deadline);
      this.guard = guard;
      this.options.logger.debug({ guard: guard.pid }, "guard started");
    } catch (error) {
      this.options.logger.error(
        { error: describe(error, { named: true }) },
        "the guard can't be started; no work is taken until it can",
      );
      await delay(this.options.clock, restartMs);
    }
  }

  private died(guard: Guard): void {
    if (this.guard !== guard) return;
    this.guard = undefined;
    this.options.logger.error(
      { guard: guard.pid },
      "the guard has died; every process is killed and a new guard started",
    );
    this.options.onDeath();
    void this.whenReady();
  }
}
