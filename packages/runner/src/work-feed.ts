import { type Clock, delay } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import type { Logger } from "@berth/chassis/log";
import type { runner } from "@berth/contracts";
import type { WorkLink } from "./api/links.js";

/** What a feed needs. */
export interface WorkFeedOptions {
  /** Undefined for a runner that is handed its work by its own program: then nothing is fetched. */
  readonly link: WorkLink | undefined;
  /** Runner id. */
  readonly runner: string;
  readonly clock: Clock;
  readonly logger: Logger;
  onWork(work: readonly runner.Work[]): void;
}

const backOffFirstMs = 50;
const backOffMaxMs = 2_000;

/** Fetches the work of one incarnation after the other from the scheduler. */
export class WorkFeed {
  private readonly options: WorkFeedOptions;
  private current: { incarnation: string; abort: AbortController } | undefined;

  constructor(options: WorkFeedOptions) {
    this.options = options;
  }

  /** Fetches the work of an incarnation, connecting again and again until `end`. Does nothing if it is at it already. */
  fetch(incarnation: string): void {
    const { link } = this.options;
    if (!link || this.current?.incarnation === incarnation) return;
    const abort = new AbortController();
    this.current = { incarnation, abort };
    void this.follow(link, incarnation, abort.signal);
  }

  /** Fetches no more; the incarnation is over. */
  end(): void {
    this.current?.abort.abort();
  }

  private async follow(link: WorkLink, incarnation: string, signal: AbortSignal): Promise<void> {
    const { runner, clock, logger, onWork } = this.options;
    for (let waitMs = backOffFirstMs; !signal.aborted; waitMs = Math.min(waitMs * 2, backOffMaxMs)) {
      try {
        for await (const { work } of link.open({ runner, incarnation }, signal)) {
          waitMs = backOffFirstMs;
          onWork(work);
        }
      } catch (error) {
        if (!signal.aborted) logger.info({ error: describe(error, { named: true }) }, "the work stream has broken");
      }
      await delay(clock, waitMs, signal);
    }
  }
}
