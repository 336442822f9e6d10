import { join } from "node:path";
import type { Bus } from "@berth/chassis/bus";
import type { BerthClient } from "@berth/client";
import { createRunner, type Handler, type Runner } from "@berth/runner";
import type { BerthConfigInput } from "@berth/standalone";
import { scratchFolder, startBerth } from "../integration/harness/berth.js";
import { type AtRest, readAtRest } from "./at-rest.js";
import { childrenOf } from "./cpu.js";

/** Berth, as a benchmark talks to it. */
export interface BerthView {
  readonly client: BerthClient;
  /** URL of a service's HTTP port. */
  http(service: "registry" | "poolManager" | "scheduler" | "metrics"): string;
}

/** Messages and rows that were counted outside of Berth so far. */
export interface Outside {
  /** Rows inserted, updated and deleted in PostgreSQL, by `schema.table`. */
  readonly rows: ReadonlyMap<string, number>;
  /** Messages that the stream of NATS has taken. */
  readonly busMessages: number;
}

/** Berth, and an SDK runner with one handler, `noop`, in this process. */
export interface System {
  readonly berth: BerthView;
  readonly runner: Runner;
  /** All processes that take part, by part; `bench` is this one and its runner's guard. */
  processes(): Readonly<Record<string, readonly number[]>>;
  /** Counts that others than Berth keep; absent where there is nobody else. */
  outside?(): Promise<Outside>;
  /** Stops all, reads what is at rest, and deletes it. */
  stop(): Promise<AtRest>;
}

/** This process and what the runner in it has started. */
export function benchProcesses(): number[] {
  return [process.pid, ...childrenOf(process.pid)];
}

/** Starts the runner of the benchmarks, which takes the work of pool `bench`. */
export async function startRunner(
  { endpoints: { addresses, token } }: BerthClient,
  options: { dataFolder: string; slots: number; handler: Handler; bus?: Bus },
): Promise<Runner> {
  const { dataFolder, slots, handler, bus } = options;
  const runner = createRunner({
    id: "bench",
    dataFolder,
    pools: ["bench"],
    capacity: slots,
    poolManagerAddress: addresses.poolManager,
    schedulerAddress: addresses.scheduler,
    registryAddress: addresses.registry,
    token,
    ...(bus === undefined ? {} : { bus }),
  });
  runner.handle("noop", handler);
  await runner.start();
  return runner;
}

/** Starts a standalone Berth in a process of its own. Tasks of pool `bench` go to the runner, which has `slots` of them. */
export async function startSystem(slots: number, config: BerthConfigInput, handler: Handler): Promise<System> {
  const folder = scratchFolder();
  const berth = await startBerth(folder.path, {
    logLevel: "warn",
    ...config,
    pools: { bench: { type: "remote", maxConcurrency: slots }, ...config.pools },
  });
  const runner = await startRunner(berth.client, { dataFolder: join(folder.path, "runner"), slots, handler });
  const berthPid = berth.child.pid ?? 0;
  return {
    berth,
    runner,
    processes: () => ({
      bench: benchProcesses().filter((pid) => pid !== berthPid),
      berth: [berthPid, ...childrenOf(berthPid)],
    }),
    async stop() {
      await runner.stop();
      await berth.stop();
      const atRest = readAtRest(berth.dataFolder);
      folder.remove();
      return atRest;
    },
  };
}
