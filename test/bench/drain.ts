import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRunner } from "@berth/runner";
import { scratchFolder, startBerth } from "../integration/harness/berth.js";
import { childrenOf, cpuMicros } from "./cpu.js";
import { readPage, sumOf } from "./page.js";

const services = ["registry", "poolManager", "scheduler", "metrics"] as const;

/**
 * Drains no-op tasks through the SDK with limits on: preloads them into a paused pool, lets it go, and waits for the last. Checks that
 * every task was delivered exactly once, and prints tasks a second, processor time per task over all processes, and what travels
 * together on every hop.
 */
export async function benchDrain(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { tasks: { type: "string", default: "100000" }, slots: { type: "string", default: "100" } },
  });
  const [taskCount, slots] = [Number(values.tasks), Number(values.slots)];
  const folder = scratchFolder();
  const berth = await startBerth(folder.path, {
    pools: { bench: { type: "remote", maxConcurrency: slots } },
    limits: { global: slots, "tenant:a": slots, "api:llm": slots },
    logLevel: "warn",
  });
  const delivered = new Map<string, number>();
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
  runner.handle("noop", async (task) => {
    delivered.set(task.task, (delivered.get(task.task) ?? 0) + 1);
  });
  try {
    await berth.client.pools.updatePool({ pool: { pool: "bench", paused: true }, updateMask: ["paused"] });
    await runner.start();
    const pids = [process.pid, berth.child.pid ?? 0, ...childrenOf(process.pid), ...childrenOf(berth.child.pid ?? 0)];
    const processes = [...new Set(pids)];

    const submitBeganMs = performance.now();
    const tasks = Array.from({ length: taskCount }, (_, index) => ({
      id: `t${index}`,
      handler: "noop",
      pool: "bench",
      tenant: "a",
      limits: { "api:llm": 1 },
    }));
    const { set } = await berth.client.submit(tasks);
    const submitMs = performance.now() - submitBeganMs;

    const before = { cpu: cpuMicros(processes), pages: await pagesOf(berth.http) };
    const beganMs = performance.now();
    await berth.client.pools.updatePool({ pool: { pool: "bench", paused: false }, updateMask: ["paused"] });
    const done = await waitForSet(berth.client, set);
    const tookMs = performance.now() - beganMs;
    const after = { cpu: cpuMicros(processes), pages: await pagesOf(berth.http) };

    const twice = [...delivered.values()].filter((count) => count !== 1).length;
    const exact = delivered.size === taskCount && twice === 0 && done === BigInt(taskCount);
    console.log(`drain tasks=${taskCount} slots=${slots} limits=global,pool,runner,tenant,named`);
    console.log(
      `  delivered ${delivered.size}, more than once ${twice}, succeeded ${done}: ${exact ? "exact" : "NOT EXACT"}`,
    );
    console.log(`  submit ${perSecond(taskCount, submitMs)} tasks/s`);
    console.log(
      `  drain  ${perSecond(taskCount, tookMs)} tasks/s, ${Math.round((after.cpu - before.cpu) / taskCount)} us of processor per task`,
    );
    printHops(before.pages, after.pages);
    if (!exact) process.exitCode = 1;
  } finally {
    await runner.stop();
    await berth.stop();
    folder.remove();
  }
}

type Pages = Record<(typeof services)[number], Map<string, number>>;

async function pagesOf(http: (service: (typeof services)[number]) => string): Promise<Pages> {
  const entries = await Promise.all(
    services.map(async (service) => [service, await readPage(`${http(service)}/metrics`)] as const),
  );
  return Object.fromEntries(entries) as Pages;
}

/** Waits for the set without a watch, so that the watching doesn't take part in what is measured. */
async function waitForSet(client: Awaited<ReturnType<typeof startBerth>>["client"], set: string): Promise<bigint> {
  for (;;) {
    const { taskSet } = await client.registry.getTaskSet({ set });
    if (taskSet?.done) return taskSet.taskCounts.SUCCEEDED ?? 0n;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Mean items per message on every hop, and changes per commit of every engine, over the drain. */
function printHops(before: Pages, after: Pages): void {
  for (const service of services) {
    const [from, to] = [before[service], after[service]];
    for (const series of to.keys()) {
      const hop = /^berth_items_per_message_sum\{(.*)\}$/.exec(series)?.[1];
      if (hop === undefined) continue;
      const items = (to.get(series) ?? 0) - (from.get(series) ?? 0);
      const countSeries = series.replace("_sum{", "_count{");
      const messages = (to.get(countSeries) ?? 0) - (from.get(countSeries) ?? 0);
      if (messages > 0)
        console.log(`  ${service} ${hop}: ${(items / messages).toFixed(1)} items per message (${messages} messages)`);
    }
    const commits = sumOf(to, "berth_engine_commits_total") - sumOf(from, "berth_engine_commits_total");
    const changes = sumOf(to, "berth_engine_changes_total") - sumOf(from, "berth_engine_changes_total");
    if (commits > 0)
      console.log(`  ${service}: ${(changes / commits).toFixed(1)} changes per commit (${commits} commits)`);
  }
}

function perSecond(count: number, tookMs: number): number {
  return Math.round((count / tookMs) * 1_000);
}
