import { type Clock, delay } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";
import { requestMemoryMs } from "../domain/submit.js";
import type { LogStore } from "./logs.js";
import type { RegistryStore } from "./store.js";

/** Tasks that go at once: a transaction of a few milliseconds. */
const batchMax = 200;
const pauseMs = { between: 50, idle: 60_000 };

/** Deletes what is older than it is to be kept, a little at a time. */
export class Pruner {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private readonly options: {
    readonly store: RegistryStore;
    readonly logs: LogStore;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly retentionMs: number;
  };

  constructor(options: Pruner["options"]) {
    this.options = options;
  }

  /** Begins. */
  start(): void {
    this.running ??= this.run();
  }

  /** Ends. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Deletes one batch; returns how many tasks went. */
  async pruneOnce(): Promise<number> {
    const { store, logs, clock, retentionMs } = this.options;
    const nowMs = clock.wallMs();
    const keys = await store.prune({
      endedBeforeMs: nowMs - retentionMs,
      requestsBeforeMs: nowMs - requestMemoryMs,
      max: batchMax,
    });
    if (keys.length > 0) await logs.remove(keys);
    return keys.length;
  }

  private async run(): Promise<void> {
    const { clock, logger } = this.options;
    const { signal } = this.stopping;
    for (let waitMs = pauseMs.idle; !signal.aborted; ) {
      await delay(clock, waitMs, signal);
      if (signal.aborted) return;
      try {
        waitMs = (await this.pruneOnce()) === batchMax ? pauseMs.between : pauseMs.idle;
      } catch (error) {
        logger.warn({ err: error }, "old tasks couldn't be deleted; trying again later");
        waitMs = pauseMs.idle;
      }
    }
  }
}
