import type { Clock } from "@berth/chassis/clock";
import { markedProcesses, send } from "../guard/processes.mjs";

/** Settings of a sweeper. */
export interface SweeperOptions {
  readonly clock: Clock;
  /** Marker of the session. */
  incarnation(): string;
  /** True while the lease's run has a living leader. */
  isAlive(lease: string): boolean;
}

const againMs = 2;
/** After a sweep at least this many times its duration pass before the next: sweeping takes at most a third of a processor. */
const restFactor = 2;

/**
 * Kills processes that outlive their run in another process group. One look at all processes serves every run that ended before
 * it: on a machine with a thousand processes a look costs some 20 ms, so they can't be had for each.
 */
export class Sweeper {
  private readonly options: SweeperOptions;
  private next: Promise<void> | undefined;
  private restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: SweeperOptions) {
    this.options = options;
  }

  /** Returns when no marked process is left but those of runs that are alive. */
  async sweep(): Promise<void> {
    while ((await this.look()) > 0) await this.pause(againMs);
  }

  private found = 0;

  private async look(): Promise<number> {
    this.next ??= this.lookNext();
    await this.next;
    return this.found;
  }

  private async lookNext(): Promise<void> {
    const { clock } = this.options;
    const restMs = this.restUntilMs - clock.monoMs();
    if (restMs > 0) await this.pause(restMs);
    else await new Promise<void>((resolve) => setImmediate(resolve));
    this.next = undefined;
    const beganMs = clock.monoMs();
    this.found = 0;
    for (const { pid, lease } of markedProcesses([this.options.incarnation()])) {
      if (!this.options.isAlive(lease) && send(pid)) this.found += 1;
    }
    const endedMs = clock.monoMs();
    this.restUntilMs = endedMs + restFactor * (endedMs - beganMs);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.options.clock.setTimer(ms, resolve));
  }
}
