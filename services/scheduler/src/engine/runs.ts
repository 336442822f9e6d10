import type { Clock } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";
import type { runner } from "@berth/contracts";

/** Answers what to run; in production the registry. */
export interface RunSource {
  /**
   * What to run for some of these tasks (at most 500), in their order. It may stop early, at a bound of bytes; tasks that don't exist
   * are left out.
   */
  listRuns(tasks: readonly string[]): Promise<readonly { readonly task: string; readonly run: runner.Run }[]>;
}

/** Settings of {@link Runs}. */
export interface RunsOptions {
  readonly source: RunSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Most bytes of runs that are kept ahead. */
  readonly cacheBytes: number;
}

const batchMost = 500;
const flightsMost = 4;
const retryMs = 200;

type Waiter = (run: runner.Run | undefined) => void;

/**
 * Fetches what to run while the bids stand, in batches, and keeps it until it is handed out. Bounded by bytes: what is pushed out is
 * fetched again when it is needed. A failed fetch is repeated for whatever is still needed.
 */
export class Runs {
  private readonly options: RunsOptions;
  private readonly cache = new Map<string, { run: runner.Run; bytes: number }>();
  private readonly wanted = new Set<string>();
  private readonly waiters = new Map<string, Waiter[]>();
  private flights = 0;
  private stopped = false;
  private paused = false;
  private cached = 0;

  constructor(options: RunsOptions) {
    this.options = options;
  }

  /** Bytes kept now. */
  get cachedBytes(): number {
    return this.cached;
  }

  /** Begins to fetch what isn't there; nobody waits for it. */
  prefetch(tasks: Iterable<string>): void {
    for (const task of tasks) if (!this.cache.has(task)) this.wanted.add(task);
    this.pump();
  }

  /** Calls back with what to run, at once if it is there; undefined if the task doesn't exist any more. It is then no longer kept. */
  take(task: string, callback: Waiter): void {
    const kept = this.cache.get(task);
    if (kept) {
      this.drop(task);
      callback(kept.run);
      return;
    }
    const waiting = this.waiters.get(task);
    if (waiting) waiting.push(callback);
    else this.waiters.set(task, [callback]);
    this.wanted.add(task);
    this.pump();
  }

  /** The task is gone: nothing of it is needed. */
  drop(task: string): void {
    const kept = this.cache.get(task);
    if (kept) {
      this.cached -= kept.bytes;
      this.cache.delete(task);
    }
    this.wanted.delete(task);
  }

  /** Tells whoever waits for the task that it is gone. */
  forget(task: string): void {
    this.drop(task);
    this.settle(task, undefined);
  }

  /** Fetches nothing more. */
  stop(): void {
    this.stopped = true;
    this.wanted.clear();
    this.waiters.clear();
  }

  private pump(): void {
    while (!this.stopped && !this.paused && this.flights < flightsMost && this.wanted.size > 0) {
      const batch: string[] = [];
      for (const task of this.wanted) {
        batch.push(task);
        this.wanted.delete(task);
        if (batch.length === batchMost) break;
      }
      this.flights++;
      void this.fetch(batch).finally(() => {
        this.flights--;
        this.pump();
      });
    }
  }

  private async fetch(batch: readonly string[]): Promise<void> {
    try {
      const runs = await this.options.source.listRuns(batch);
      for (const { task, run } of runs) this.arrived(task, run);
      const last = runs.at(-1)?.task;
      // In order: whatever is missing before the last one doesn't exist, what lies behind it was cut off by the bound of bytes.
      const cut = last === undefined ? batch.length : batch.indexOf(last) + 1;
      const came = new Set(runs.map(({ task }) => task));
      for (const [index, task] of batch.entries()) {
        if (index >= cut) this.wanted.add(task);
        else if (!came.has(task)) this.settle(task, undefined);
      }
    } catch (error) {
      // Prefetching is only for speed; what somebody waits for is asked for again.
      this.options.logger.debug({ err: error, tasks: batch.length }, "what to run couldn't be fetched; trying again");
      for (const task of batch) if (this.waiters.has(task)) this.wanted.add(task);
      if (this.stopped) return;
      this.paused = true;
      this.options.clock.setTimer(retryMs, () => this.resume(), { unref: true });
    }
  }

  private resume(): void {
    this.paused = false;
    this.pump();
  }

  private arrived(task: string, run: runner.Run): void {
    if (this.settle(task, run)) return;
    const bytes = runBytes(run);
    this.drop(task);
    this.cache.set(task, { run, bytes });
    this.cached += bytes;
    for (const oldest of this.cache.keys()) {
      if (this.cached <= this.options.cacheBytes) break;
      this.drop(oldest);
    }
  }

  private settle(task: string, run: runner.Run | undefined): boolean {
    const waiting = this.waiters.get(task);
    this.waiters.delete(task);
    for (const callback of waiting ?? []) callback(run);
    return waiting !== undefined;
  }
}

/** About the bytes of a run on the wire: never less by more than its field tags. */
export function runBytes(run: runner.Run): number {
  let bytes = 128 + run.stdin.length + run.cwd.length;
  for (const [name, value] of Object.entries(run.env)) bytes += 8 + Buffer.byteLength(name) + Buffer.byteLength(value);
  for (const name of run.secrets) bytes += 4 + name.length;
  if (run.kind?.$case === "command") {
    bytes += Buffer.byteLength(run.kind.value.shell);
    for (const word of run.kind.value.argv) bytes += 4 + Buffer.byteLength(word);
  } else if (run.kind?.$case === "handler") {
    bytes += run.kind.value.name.length + run.kind.value.payloadJson.length;
  }
  return bytes;
}
