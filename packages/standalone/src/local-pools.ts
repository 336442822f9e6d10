// The pools that the local runner serves: those of type local-process that the catalogue has now, whoever made them and whenever.
import { BackOff, type Clock } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import type { Component } from "@berth/chassis/lifecycle";
import type { Logger } from "@berth/chassis/log";
import { pool } from "@berth/contracts";
import type { Runner } from "@berth/runner";

/** Most pools that a runner can name. */
export const localPoolsMax = 64;
const again = { firstMs: 50, mostMs: 2_000 };

/** What the local runner serves. */
export interface LocalPools {
  readonly pools: readonly string[];
  /** Tasks that they allow together. */
  readonly together: number;
  /** Local pools beyond the bound: nobody here serves them. */
  readonly left: readonly string[];
}

/** Picks the local pools of a catalogue. Those served before stay, so that a new one never displaces one with work. */
export function localPoolsOf(catalogue: readonly pool.Pool[], before: readonly string[] = []): LocalPools {
  const local = catalogue.filter((each) => each.type === pool.Pool_Type.LOCAL_PROCESS);
  const known = new Set(before);
  const inOrder = [...local.filter((each) => known.has(each.pool)), ...local.filter((each) => !known.has(each.pool))];
  const served = inOrder.slice(0, localPoolsMax);
  return {
    pools: served.map((each) => each.pool),
    together: served.reduce((sum, each) => sum + Number(each.maxConcurrency), 0),
    left: inOrder.slice(localPoolsMax).map((each) => each.pool),
  };
}

/** What {@link followLocalPools} needs. */
export interface FollowOptions {
  /** Opens a watch of the catalogue: a whole one at once, then with every change. */
  watch(signal: AbortSignal): AsyncIterable<pool.WatchCatalogueResponse>;
  /** Capacity of the runner where its pools allow so many tasks together. */
  capacity(together: number): number;
  readonly runner: Pick<Runner, "serve" | "start" | "drain" | "stop">;
  /** True starts the runner although there is no local pool: an earlier process of it may have left something. */
  readonly atOnce: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The local runner as it follows the catalogue. */
export interface LocalRunner extends Component {
  /** False until there has been a local pool: nobody is told of a runner that has nothing to serve. */
  readonly isStarted: boolean;
}

/**
 * Keeps the local runner to the catalogue. It starts with the first local pool, whenever that is made. `start` settles once it serves the pools
 * that there are; a watch that breaks is opened again.
 */
export function followLocalPools(options: FollowOptions): LocalRunner {
  const { watch, capacity, runner, atOnce, clock, logger } = options;
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let served: readonly string[] = [];
  let following: Promise<void> | undefined;
  const take = (catalogue: readonly pool.Pool[]): void => {
    const { pools, together, left } = localPoolsOf(catalogue, served);
    runner.serve({ pools, capacity: capacity(together) });
    // What it serves is known before it attaches.
    if (running === undefined && (atOnce || pools.length > 0)) {
      running = runner.start();
      running.catch((error: unknown) => logger.error({ error: describe(error) }, "the local runner can't start"));
    }
    if (left.length > 0)
      logger.warn(
        { left },
        `the local runner serves ${localPoolsMax} pools, the most that a runner can: attach one for the others (berth runner --pool POOL)`,
      );
    served = pools;
  };
  const follow = async (first: () => void): Promise<void> => {
    const backOff = new BackOff(clock, again);
    while (!stopping.signal.aborted) {
      try {
        for await (const { pools } of watch(stopping.signal)) {
          take(pools);
          first();
          backOff.reset();
        }
      } catch (error) {
        if (!stopping.signal.aborted) logger.info({ error: describe(error) }, "the watch of the catalogue has broken");
      }
      await backOff.wait(stopping.signal);
    }
  };
  return {
    get isStarted() {
      return running !== undefined;
    },
    async start() {
      await new Promise<void>((resolve) => {
        following ??= follow(resolve).finally(resolve);
      });
      await running;
    },
    drain: async () => (running === undefined ? undefined : runner.drain()),
    async stop() {
      stopping.abort();
      await following;
      if (running !== undefined) await runner.stop();
    },
  };
}
