import type { Clock, Timer } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";

/** Work that is done again some time after it was done, until all of it is stopped. What fails is tried again the next time. */
export class Periodic {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly timers = new Set<Timer>();
  /** True once it has been stopped. */
  stopped = false;

  constructor(clock: Clock, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
  }

  /** Does `work` for the first time after `periodMs`, and then again `periodMs` after its end. */
  every(periodMs: number, work: () => Promise<unknown>): void {
    if (this.stopped) return;
    const timer = this.clock.setTimer(
      periodMs,
      () => {
        this.timers.delete(timer);
        work()
          .catch((error: unknown) =>
            this.logger.warn({ err: error }, "periodic work of the pool-manager failed; it is tried again"),
          )
          .finally(() => this.every(periodMs, work));
      },
      { unref: true },
    );
    this.timers.add(timer);
  }

  /** Begins none of it any more; what is under way goes on to its end. */
  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
  }
}
