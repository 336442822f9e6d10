import { Gauge, type Registry } from "prom-client";
import { type Clock, delay, type Timer } from "../clock/index.js";
import { describe, isA } from "../errors/index.js";
import type { Logger } from "../log/index.js";
import { type EngineStore, LeadLost, type Position } from "./port.js";
import { SchemaTooNew } from "./schema.js";

/** Settings of a service that may have standbys. */
export interface Takeover {
  /** A standby leads when the leader row has stood still for so long; milliseconds. The same in all processes of a service. */
  readonly takeoverMs: number;
}

/** What leads: an engine, seen from here. */
export interface Leader {
  /** Takes the leadership, if the row still stands at the epoch `seen`; rejects with LeadLost if another one was quicker. */
  start(seen?: number): Promise<void>;
  /** Commits, if only to show that it still leads. */
  confirm(): Promise<void>;
  /** Interval clock when the last commit that went through was begun. */
  readonly confirmedMs: number;
}

/** What {@link Leadership} needs. */
export interface LeadershipOptions {
  readonly name: string;
  readonly leader: Leader;
  readonly store: Pick<EngineStore<never, never>, "position">;
  /** Absent: nobody else can lead, so nothing is waited for and every answer may be trusted. */
  readonly takeover: Takeover | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Gets `berth_leading`. */
  readonly metrics: Registry;
  /** Called once when it can't go on: the process must exit. */
  readonly onFailed: (error: Error) => void;
}

/** How often a standby looks at the leader row. */
const lookMs = 500;
/** A leader moves its row at least this often. */
const beatMs = 1_000;
/** Part of the takeover time for which a commit can be trusted: the rest is for clocks that run unevenly, and for looks that come early. */
const trustShare = 0.8;

/**
 * Waits until this process may lead, shows that it does, and says whether it may answer. The states are in the README of the chassis:
 * *waiting* → *leading* → *lost*, or *stopped* from each of them.
 */
export class Leadership {
  private readonly options: LeadershipOptions;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private beat: Timer | undefined;
  private problem = "";
  private leads = false;

  constructor(options: LeadershipOptions) {
    this.options = options;
    const { metrics } = options;
    const leading = () => (this.leads ? 1 : 0);
    new Gauge({
      name: "berth_leading",
      help: "1 while this process leads its service, 0 while it is a standby.",
      registers: [metrics],
      collect() {
        this.set(leading());
      },
    });
  }

  /** `ok` while it leads, else what it waits for. */
  get check(): string {
    if (this.leads) return "ok";
    return this.problem === "" ? "standby" : `standby; ${this.problem}`;
  }

  /**
   * Leads as soon as it may, then calls `serve`. Where there may be standbys this returns at once, and what goes wrong later fails the process;
   * otherwise it returns when `serve` has.
   */
  async start(serve: () => Promise<void>): Promise<void> {
    const { takeover, leader, onFailed } = this.options;
    if (!takeover) {
      await leader.start();
      this.leads = true;
      return serve();
    }
    this.running = this.lead(takeover, serve).catch((error: unknown) => {
      if (!this.stopping.signal.aborted) onFailed(isA(error, Error) ? error : new Error(describe(error)));
    });
  }

  /** Ends the waiting; settles when nothing is under way any more. The leader itself is stopped by whoever made it. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.beat?.cancel();
    await this.running;
    this.leads = false;
  }

  /**
   * Nothing, if an answer may leave now; otherwise a promise that settles when it may, and rejects when it may not: the leadership is
   * lost. Trust is counted from the moment before the last commit was sent, so a process that was stopped in between has none.
   */
  fence(): Promise<void> | undefined {
    const { takeover, leader, clock } = this.options;
    if (!takeover) return undefined;
    const fresh = clock.monoMs() - leader.confirmedMs < takeover.takeoverMs * trustShare;
    return fresh ? undefined : leader.confirm();
  }

  private async lead(takeover: Takeover, serve: () => Promise<void>): Promise<void> {
    const { leader, logger, name } = this.options;
    for (;;) {
      const seen = await this.turn(takeover);
      if (seen === undefined) return;
      try {
        await leader.start(seen);
        break;
      } catch (error) {
        if (!(error instanceof LeadLost)) throw error;
        logger.info({ seen }, `${name}: another standby was quicker`);
      }
    }
    if (this.stopping.signal.aborted) return;
    this.leads = true;
    this.armBeat();
    await serve();
  }

  /** Waits until it is this process's turn; returns the epoch that stands still, or undefined if it was stopped before. */
  private async turn({ takeoverMs }: Takeover): Promise<number | undefined> {
    const { clock, logger, name } = this.options;
    let still: { readonly at: Position; readonly sinceMs: number } | undefined;
    while (!this.stopping.signal.aborted) {
      const askedMs = clock.monoMs();
      const at = await this.look();
      // While the database is away the leader can't move the row either: the time counts anew.
      if (!at) still = undefined;
      else if (at.holder === "") return at.epoch;
      else if (!still || still.at.epoch !== at.epoch || still.at.n !== at.n) {
        if (still?.at.epoch !== at.epoch)
          logger.info({ epoch: at.epoch, holder: at.holder }, `${name} waits as a standby`);
        still = { at, sinceMs: clock.monoMs() };
      } else if (askedMs - still.sinceMs >= takeoverMs) {
        const silentMs = Math.round(askedMs - still.sinceMs);
        logger.warn({ epoch: at.epoch, holder: at.holder, silentMs }, `${name}: the leader is silent; taking over`);
        return at.epoch;
      }
      await delay(clock, lookMs, this.stopping.signal);
    }
    return undefined;
  }

  private async look(): Promise<Position | undefined> {
    const { store, logger, name } = this.options;
    try {
      const at = await store.position();
      this.problem = "";
      return at;
    } catch (error) {
      if (error instanceof SchemaTooNew) throw error;
      const problem = describe(error);
      if (problem !== this.problem) logger.warn({ problem }, `${name} can't read the leader row; trying again`);
      this.problem = problem;
      return undefined;
    }
  }

  private armBeat(): void {
    const { clock, leader } = this.options;
    const dueMs = leader.confirmedMs + beatMs - clock.monoMs();
    this.beat = clock.setTimer(
      Math.max(beatMs / 10, dueMs),
      () => {
        if (this.stopping.signal.aborted) return;
        const due = clock.monoMs() - leader.confirmedMs >= beatMs;
        // Why a commit fails is the engine's to say.
        const beaten = due ? leader.confirm().catch(() => undefined) : Promise.resolve();
        void beaten.then(() => {
          if (!this.stopping.signal.aborted) this.armBeat();
        });
      },
      { unref: true },
    );
  }
}
