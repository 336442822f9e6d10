import { join } from "node:path";
import { createRunner, type Handler, type Runner } from "@berth/runner";
import type { BerthConfigInput } from "@berth/standalone";
import { type Berth, scratchFolder, startBerth } from "../integration/harness/berth.js";
import { childrenOf } from "./cpu.js";

/** A standalone Berth in a process of its own, and an SDK runner with one handler, `noop`, in this one. */
export interface System {
  readonly berth: Berth;
  readonly runner: Runner;
  /** All processes that take part: this one, Berth's, and the guards of the runners. */
  processes(): number[];
  /** Stops all, lets `look` see the data folder at rest, and deletes it. */
  stop(look?: (dataFolder: string) => void): Promise<void>;
}

/** Starts it. Tasks of pool `bench` go to the runner, which has `slots` of them. */
export async function startSystem(slots: number, config: BerthConfigInput, handler: Handler): Promise<System> {
  const folder = scratchFolder();
  const berth = await startBerth(folder.path, {
    logLevel: "warn",
    ...config,
    pools: { bench: { type: "remote", maxConcurrency: slots }, ...config.pools },
  });
  const { addresses, token } = berth.client.endpoints;
  const runner = createRunner({
    id: "bench",
    dataFolder: join(folder.path, "runner"),
    pools: ["bench"],
    capacity: slots,
    poolManagerAddress: addresses.poolManager,
    schedulerAddress: addresses.scheduler,
    registryAddress: addresses.registry,
    token,
  });
  runner.handle("noop", handler);
  await runner.start();
  return {
    berth,
    runner,
    processes() {
      const own = [process.pid, berth.child.pid ?? 0];
      return [...new Set([...own, ...own.flatMap(childrenOf)])];
    },
    async stop(look) {
      await runner.stop();
      await berth.stop();
      look?.(berth.dataFolder);
      folder.remove();
    },
  };
}
