import type { Clock, Timer } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import type { Logger } from "@berth/chassis/log";
import type { Snapshot } from "../domain/snapshot.js";
import type { Round, SampleStore } from "./store.js";

/** Asks the services how things stand now. A service that doesn't answer in time is left out; it never rejects. */
export interface StatusSource {
  read(): Promise<Snapshot>;
}

/** Settings of {@link Sampler}. */
export interface SamplerOptions {
  readonly source: StatusSource;
  readonly store: SampleStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time between two rounds, milliseconds. */
  readonly intervalMs: number;
}

/** Most limits in one round; by name, the rest isn't kept. */
const limitsMost = 1_000;

/** Takes a round of samples every interval and keeps it. One at a time: a slow round puts off the next. */
export class Sampler {
  private readonly options: SamplerOptions;
  private timer: Timer | undefined;
  private round: Promise<void> | undefined;
  private stopped = false;
  private poolUp = false;
  private schedulerUp = false;
  private storeProblem = "";
  private kept = 0;

  constructor(options: SamplerOptions) {
    this.options = options;
  }

  /** Rounds kept since the start. */
  get rounds(): number {
    return this.kept;
  }

  /** What the last round found: `ok`, or what is wrong. */
  get checks(): { "pool-manager": string; scheduler: string; store: string } {
    const of = (up: boolean): string => (up ? "ok" : "doesn't answer; samples have a gap");
    return { "pool-manager": of(this.poolUp), scheduler: of(this.schedulerUp), store: this.storeProblem || "ok" };
  }

  /** Takes the first round and goes on. Doesn't wait for it. */
  start(): void {
    if (this.round || this.stopped) return;
    this.round = this.take().then(() => {
      this.round = undefined;
      if (!this.stopped)
        this.timer = this.options.clock.setTimer(this.options.intervalMs, () => this.start(), { unref: true });
    });
  }

  /** Waits for the round that is under way and takes no other. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.round;
  }

  private async take(): Promise<void> {
    const { source, store, clock, logger } = this.options;
    const { pool, queue } = await source.read();
    if (this.poolUp && !pool) logger.warn("the pool-manager doesn't answer; samples have a gap");
    this.poolUp = pool !== undefined;
    this.schedulerUp = queue !== undefined;
    if (!pool) return;
    const limits = pool.limits.filter(({ limit }) => !limit.startsWith("runner:"));
    const round: Round = {
      wallMs: clock.wallMs(),
      revision: pool.revision,
      queueSize: queue?.queueSize ?? 0,
      limits: limits.slice(0, limitsMost).map(({ limit, used, capacity }) => ({ limit, used, capacity })),
    };
    try {
      await store.append(round);
      this.kept++;
      this.storeProblem = "";
    } catch (error) {
      if (this.storeProblem === "")
        logger.error({ err: error }, "a round of samples couldn't be kept; trying again with the next");
      this.storeProblem = describe(error);
    }
  }
}
