import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient, parseTaskFile } from "@berth/client";
import { type Cluster, serversAvailable, startCluster } from "@berth/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { root, scratchFolder } from "../integration/harness/berth.js";

const { nats, postgres } = serversAvailable();
const pools = ["default", "checks", "numbers"];
/** The pools of examples/berth.yaml, in the words of the pool-manager. */
const catalogue = {
  "--global-capacity": "4",
  "--limits": "{disk: 3, 'tenant:docs': 2}",
  "--pools":
    "{default: {maxConcurrency: 2, skills: [pack]}, checks: {maxConcurrency: 3, skills: [check]}, numbers: {maxConcurrency: 2, skills: [count, pack]}}",
};
const open: Cluster[] = [];
const folders = [scratchFolder(), scratchFolder()];
afterEach(async () => {
  await Promise.all(open.splice(0).map((cluster) => cluster.stop()));
  for (const folder of folders) folder.remove();
});

/** `drop` is the share of messages that everybody on the bus loses. */
async function start(folder: string, drop = "0"): Promise<Cluster> {
  const settings = { "pool-manager": { ...catalogue, "--bus-drop": drop }, registry: { "--bus-drop": drop } };
  const runnerEnvironment = { BERTH_BUS_DROP: drop };
  const cluster = await startCluster({ root, folder, runners: 3, pools, settings, runnerEnvironment });
  open.push(cluster);
  return cluster;
}

function clientOf(cluster: Cluster) {
  return createClient({ addresses: cluster.addresses, token: cluster.token });
}

/** Works off the demo; its tasks run in the folder that this was called from, the repository. */
async function demo(cluster: Cluster): Promise<string> {
  const file = join(root, "examples/demo.yaml");
  const { tasks } = parseTaskFile(readFileSync(file, "utf8"), file);
  const client = clientOf(cluster);
  try {
    const beganMs = performance.now();
    const { set } = await client.submitSpecs(tasks);
    const done = await client.wait(set);
    expect(done.taskCounts).toEqual({ SUCCEEDED: tasks.length });
    const { drift, runningCount } = await client.pools.getStatus({});
    expect([drift, runningCount]).toEqual([0n, 0n]);
    return `${tasks.length} tasks in ${Math.round(performance.now() - beganMs) / 1_000} s`;
  } finally {
    client.close();
  }
}

describe.skipIf(!nats || !postgres)("four services and three runners (needs nats-server and PostgreSQL)", () => {
  it("complete the demo with every message of the bus lost, by lease streams and cursors", async () => {
    const cluster = await start(folders[0]?.path ?? "", "1");
    console.log(`every message lost: ${await demo(cluster)}`);
  });

  it("complete it in two clusters side by side, each on its own", async () => {
    const clusters = await Promise.all(folders.map(({ path }) => start(path)));
    console.log(`side by side: ${(await Promise.all(clusters.map(demo))).join(", ")}`);
    for (const cluster of clusters) {
      const client = clientOf(cluster);
      const sets = await client.registry.listTaskSets({});
      expect(sets.taskSets).toHaveLength(1);
      client.close();
    }
  });
});
