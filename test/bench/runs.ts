import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { scratchFolder, startBerth } from "../integration/harness/berth.js";
import { percentile } from "./percentile.js";

/**
 * `runs`: real processes. The same number of `true` commands, the same number at once, by a bare loop over spawn and through Berth
 * (guard, process group, spool, limits and all), in turns within one run.
 */
export async function benchRuns(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tasks: { type: "string", default: "200" },
      slots: { type: "string", default: "4" },
      rounds: { type: "string", default: "5" },
    },
  });
  const [tasks, slots, rounds] = [Number(values.tasks), Number(values.slots), Number(values.rounds)];
  const folder = scratchFolder();
  const berth = await startBerth(folder.path, {
    pools: { bench: { maxConcurrency: slots } },
    limits: { global: slots },
    defaultPool: "bench",
    logLevel: "warn",
  });
  const [bare, through]: [number[], number[]] = [[], []];
  try {
    for (let round = 0; round < rounds; round++) {
      bare.push(await timed(() => bareLoop(tasks, slots)));
      through.push(
        await timed(async () => {
          const { set } = await berth.client.submit(
            Array.from({ length: tasks }, (_, index) => ({ id: String(index), run: ["true"] })),
          );
          const { taskCounts } = await berth.client.wait(set);
          if (taskCounts.SUCCEEDED !== tasks) throw new Error(`not all succeeded: ${JSON.stringify(taskCounts)}`);
        }),
      );
    }
  } finally {
    await berth.stop();
    folder.remove();
  }
  const [bareMs, throughMs] = [percentile(bare, 0.5) / tasks, percentile(through, 0.5) / tasks];
  console.log(`runs: ${tasks} times \`true\`, ${slots} at once, median of ${rounds} rounds`);
  console.log(`  bare spawn loop ${bareMs.toFixed(2)} ms each`);
  console.log(`  through Berth   ${throughMs.toFixed(2)} ms each, ratio ${(throughMs / bareMs).toFixed(2)}`);
}

async function bareLoop(tasks: number, slots: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next++ < tasks)
      await new Promise<void>((resolve, reject) => {
        const child = spawn("true", { stdio: ["ignore", "pipe", "pipe"], detached: true });
        child.once("error", reject);
        child.once("close", () => resolve());
        child.stdout.resume();
        child.stderr.resume();
      });
  };
  await Promise.all(Array.from({ length: slots }, lane));
}

async function timed(work: () => Promise<void>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}
