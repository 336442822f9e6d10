import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { mostOverlapping, readRuns } from "./harness/records.js";

const workload = fileURLToPath(new URL("harness/record.mjs", import.meta.url));
const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, {
    pools: { narrow: { maxConcurrency: 3 }, wide: { maxConcurrency: 5 } },
    limits: { global: 5 },
    defaultPool: "wide",
  });
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

describe("limits in the world", () => {
  it("200 processes never overlap more than a global limit of 5 and pools of 3 and 5 allow, and 5 is reached", async () => {
    const file = join(folder.path, "records");
    const tasks = Array.from({ length: 200 }, (_, index) => ({
      id: `t${index}`,
      // The start of a process belongs to its lease but not to its record. The first five, which the limits allow together, wait for each other.
      run: [process.execPath, workload, file, String(250 + ((index * 37) % 200)), index < 5 ? "5" : "1"],
      pool: index % 2 === 0 ? "narrow" : "wide",
    }));
    const { set } = await berth.client.submit(tasks);
    const watching = new AbortController();
    const disagreements: string[] = [];
    const watched = watchCounts(berth, watching.signal, disagreements);
    const done = await berth.client.wait(set);
    watching.abort();
    const polls = await watched;

    const runs = readRuns(file);
    expect(done.taskCounts).toEqual({ SUCCEEDED: 200 });
    expect(new Set(runs.map((run) => run.task)).size).toBe(200);
    expect(runs).toHaveLength(200);
    expect(mostOverlapping(runs)).toBe(5);
    expect(mostOverlapping(runs.filter((run) => run.pool === "narrow"))).toBeLessThanOrEqual(3);
    expect(mostOverlapping(runs.filter((run) => run.pool === "wide"))).toBeLessThanOrEqual(5);
    expect(disagreements).toEqual([]);
    expect(polls).toBeGreaterThan(10);
    console.log(`limits-hold: 200 runs, at most ${mostOverlapping(runs)} at once, ${polls} looks at the counts`);
  });
});

/** Looks at GetStatus and /metrics again and again: within one answer everything must agree, always. */
async function watchCounts(berth: Berth, signal: AbortSignal, disagreements: string[]): Promise<number> {
  let polls = 0;
  for (; !signal.aborted; polls++) {
    const status = await berth.client.pools.getStatus({});
    const inPools = status.pools.reduce((sum, pool) => sum + pool.runningCount, 0n);
    const global = status.limits.find((limit) => limit.limit === "global");
    const facts = {
      running: status.runningCount,
      inPools,
      global: global?.used,
      open: status.grantedTotal - status.releasedTotal,
    };
    if (new Set(Object.values(facts)).size !== 1)
      disagreements.push(`GetStatus at ${status.revision}: ${Object.values(facts)}`);
    if (status.drift !== 0n) disagreements.push(`drift ${status.drift}`);
    const samples = await scrape(`${berth.http("metrics")}/metrics`);
    const running = samples.get("dispatcher_global_running_count");
    const sum = sumOf(samples, "dispatcher_pool_running_count");
    if (running !== sum) disagreements.push(`metrics: global ${running}, pools together ${sum}`);
    if (samples.get("berth_pool_count_drift") !== 0) disagreements.push("metrics: drift");
    const utilization = samples.get("dispatcher_global_utilization");
    if (utilization !== (running ?? -1) / 5)
      disagreements.push(`metrics: utilization ${utilization} with ${running} running`);
    const own = await scrape(`${berth.http("poolManager")}/metrics`);
    const used = own.get('berth_pool_manager_limit_used{limit="global"}');
    const leases = sumOf(own, "berth_pool_manager_leases");
    if (used !== leases) disagreements.push(`pool-manager: global ${used}, pools together ${leases}`);
    if (own.get("berth_pool_manager_count_drift") !== 0) disagreements.push("pool-manager: drift");
  }
  return polls;
}

function sumOf(samples: Map<string, number>, name: string): number {
  const ones = [...samples].filter(([series]) => series.startsWith(`${name}{`));
  return ones.reduce((total, [, value]) => total + value, 0);
}

/** Reads a Prometheus page: series to value. */
async function scrape(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(url)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}
