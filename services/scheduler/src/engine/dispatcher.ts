import type { Clock, Timer } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";
import type { runner } from "@berth/contracts";
import type { Command } from "../domain/command.js";
import type { SchedulerCore } from "../domain/core.js";
import type { Assignment } from "../domain/task.js";
import type { BidTraffic } from "../domain/windows.js";
import type { Handout, WorkStream } from "./handout.js";
import type { Runs } from "./runs.js";
import type { AssignTracer } from "./tracing.js";

/** The way to the pool-manager. What is sent while it is away is lost: the core places everything anew on connection. */
export interface BidPort {
  send(traffic: BidTraffic): void;
}

/** Settings of {@link Dispatcher}. */
export interface DispatcherOptions {
  readonly core: SchedulerCore;
  readonly bids: BidPort;
  readonly runs: Runs;
  readonly handout: Handout;
  readonly tracer: AssignTracer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Notes a refused bid. */
  readonly noteRefused: (verdict: "lost" | "invalid") => void;
  /** Calls back at the end of this event-loop turn. */
  readonly defer: (callback: () => void) => void;
}

const tickMs = 1_000;
/** An item that a poll took is given to polls again after this long, in case the answer was lost. */
const pollAgainMs = 5_000;

/** The one loop: gathers what comes in a turn of the event loop, lets the core decide it, carries the actions out. */
export class Dispatcher {
  readonly core: SchedulerCore;
  private readonly options: DispatcherOptions;
  private readonly polled = new Map<string, number>();
  private readonly pollers = new Set<{ readonly runner: string; readonly wake: () => void }>();
  private commands: Command[] = [];
  private due = false;
  private ticker: Timer | undefined;

  constructor(options: DispatcherOptions) {
    this.options = options;
    this.core = options.core;
  }

  /** Begins the tick that tries again what was put aside. */
  start(): void {
    this.ticker ??= this.options.clock.setTimer(tickMs, () => this.tick(), { unref: true });
  }

  stop(): void {
    this.ticker?.cancel();
    this.ticker = undefined;
    for (const { wake } of [...this.pollers]) wake();
  }

  /** Notes what happened; decided at the end of this turn. */
  tell(command: Command): void {
    this.commands.push(command);
    this.turnSoon();
  }

  /** Decides at the end of this turn, whatever came by then, and sends. */
  turnSoon(): void {
    if (this.due) return;
    this.due = true;
    this.options.defer(() => this.turn());
  }

  /** Opens the work of a runner's process: it gets first whatever is granted to it and not known to have begun. */
  attach(runnerId: string, incarnation: string, stream: WorkStream): void {
    this.options.handout.attach(runnerId, incarnation, stream);
    this.tell({ kind: "runner-connected", runner: runnerId, incarnation });
  }

  /** Closes it. */
  detach(runnerId: string, stream: WorkStream): void {
    this.options.handout.detach(runnerId, stream);
  }

  /** Work for a runner's process, at most `max` items, after at most `waitMs` (0: at once). */
  async poll(
    runnerId: string,
    incarnation: string,
    max: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<runner.Work[]> {
    const untilMs = this.options.clock.monoMs() + waitMs;
    for (;;) {
      const found = this.unpolled(runnerId, incarnation).slice(0, max);
      const leftMs = untilMs - this.options.clock.monoMs();
      if (found.length > 0) {
        const work = await this.withRuns(found, signal);
        if (work.length > 0 || leftMs <= 0) return work;
      }
      if (leftMs <= 0 || signal.aborted || this.ticker === undefined) return [];
      await this.workFor(runnerId, leftMs, signal);
    }
  }

  private turn(): void {
    this.due = false;
    const { core, clock, bids, runs, handout, tracer, logger, noteRefused } = this.options;
    const commands = this.commands;
    this.commands = [];
    if (commands.length > 0) {
      const actions = core.decide(commands, { monoMs: clock.monoMs(), wallMs: clock.wallMs() });
      for (const task of commands.flatMap((command) => (command.kind === "ready" ? command.gone : []))) {
        runs.forget(task);
        tracer.forget(task);
      }
      bids.send(actions);
      if (actions.bids.length > 0) runs.prefetch(actions.bids.map((bid) => bid.task.task));
      handout.give(actions.work);
      this.wakePollers(actions.work);
      for (const { verdict, ...about } of actions.refused) {
        noteRefused(verdict);
        if (verdict === "invalid")
          logger.warn(about, "the pool-manager says that a bid is wrong; it is tried again later");
        else logger.debug(about, "a bid was lost; the registry will say what is next");
      }
    }
    handout.flush();
  }

  private tick(): void {
    this.tell({ kind: "tick" });
    this.ticker = this.options.clock.setTimer(tickMs, () => this.tick(), { unref: true });
  }

  private unpolled(runnerId: string, incarnation: string): Assignment[] {
    const nowMs = this.options.clock.monoMs();
    for (const [lease, atMs] of this.polled) if (nowMs - atMs >= pollAgainMs) this.polled.delete(lease);
    return this.core.assignmentsOf(runnerId, incarnation).filter(({ grant }) => !this.polled.has(grant.lease));
  }

  private async withRuns(found: readonly Assignment[], signal: AbortSignal): Promise<runner.Work[]> {
    const { clock, runs, handout } = this.options;
    for (const { grant } of found) this.polled.set(grant.lease, clock.monoMs());
    const work: runner.Work[] = [];
    const fetched = found.map(
      (assignment) =>
        new Promise<void>((resolve) => {
          runs.take(assignment.task.task, (run) => {
            if (run) work.push(handout.workOf(assignment, run));
            resolve();
          });
        }),
    );
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([Promise.all(fetched), aborted]);
    return work;
  }

  private workFor(runnerId: string, waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.pollers.delete(poller);
        timer.cancel();
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const poller = { runner: runnerId, wake };
      const timer = this.options.clock.setTimer(Math.min(waitMs, pollAgainMs), wake);
      this.pollers.add(poller);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  private wakePollers(work: readonly Assignment[]): void {
    if (this.pollers.size === 0 || work.length === 0) return;
    const runners = new Set(work.map(({ grant }) => grant.runner));
    for (const poller of [...this.pollers]) if (runners.has(poller.runner)) poller.wake();
  }
}
