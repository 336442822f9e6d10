import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BerthClient, createClient, ReasonError } from "@berth/client";
import { type Cluster, type Member, type ServiceName, serversAvailable, startCluster } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root, scratchFolder } from "../integration/harness/berth.js";
import { mostOverlapping, readRuns } from "../integration/harness/records.js";
import { until } from "../integration/harness/until.js";

const { nats, postgres } = serversAvailable();
const workload = fileURLToPath(new URL("../integration/harness/record.mjs", import.meta.url));
/** The long form (npm run test:chaos) leaves faults in place for longer and puts more work on. */
const long = process.env.CHAOS === "long";
const ttlMs = 15_000;
const limit = 6;

describe.skipIf(!nats || !postgres)("four services with standbys (needs nats-server and PostgreSQL)", () => {
  const folder = scratchFolder();
  const died: string[] = [];
  let cluster: Cluster;
  let client: BerthClient;

  beforeAll(async () => {
    cluster = await startCluster({
      root,
      folder: folder.path,
      standbys: true,
      runners: 3,
      settings: {
        "pool-manager": {
          "--heartbeat-timeout-ms": String(ttlMs),
          "--global-capacity": String(limit),
          "--pools": `{default: {maxConcurrency: ${limit}}}`,
        },
      },
      onDied: (part, how) => died.push(`${part}: ${how}`),
    });
    client = createClient({ addresses: cluster.addresses, token: cluster.token });
  });
  afterAll(async () => {
    client?.close();
    await cluster?.stop();
    folder.remove();
  });

  /** Submits work, does something to the cluster in the middle of it, and demands that nobody can tell afterwards. */
  async function under(name: string, tasks: number, fault: () => Promise<string>): Promise<void> {
    const file = join(folder.path, `${name}.records`);
    const run = [process.execPath, workload, file, "300"];
    const beganMs = performance.now();
    const { set } = await client.submit(Array.from({ length: tasks }, (_, index) => ({ id: `t${index}`, run })));
    await until("work to be under way", () => readRuns(file).length >= limit, 60_000);
    const figures = await fault();
    const done = await client.wait(set);
    expect(done.taskCounts).toEqual({ SUCCEEDED: tasks });

    const runs = readRuns(file);
    expect(runs.filter(({ endNs }) => endNs === undefined)).toEqual([]);
    expect(mostOverlapping(runs)).toBeLessThanOrEqual(limit);
    expect(runs.map(({ task }) => task).sort()).toEqual([...new Set(runs.map(({ task }) => task))].sort());
    expect(runs).toHaveLength(tasks);
    for await (const { task } of client.tasks(set)) {
      const { events } = await client.task(task);
      expect(
        events.filter(({ kind }) => kind === "TaskSucceeded"),
        task,
      ).toHaveLength(1);
    }
    await until("all four to agree", async () => {
      const status = await client.pools.getStatus({});
      const queue = await client.scheduler.getQueueStatus({});
      const { drift, runningCount, grantedTotal, releasedTotal } = status;
      expect(drift).toBe(0n);
      return runningCount === 0n && grantedTotal === releasedTotal && queue.queueSize === 0n && queue.connected;
    });
    const took = Math.round((performance.now() - beganMs) / 100) / 10;
    console.log(
      `${name}: ${tasks} tasks, ${runs.length} runs, at most ${mostOverlapping(runs)} at once, ${took} s; ${figures}`,
    );
  }

  const leaderOf = async (service: ServiceName): Promise<Member> => {
    let found: Member | undefined;
    await until(`a leader of ${service}`, async () => {
      found = await cluster.leader(service);
      return found !== undefined;
    });
    return found as Member;
  };

  /** Milliseconds until another process of the service is ready, on a machine that has time for it. */
  function takeover(service: ServiceName, from: Member): Promise<number> {
    return until(`another ${service}`, async () => {
      const now = await cluster.leader(service);
      return now !== undefined && (now !== from || service === "metrics");
    });
  }

  /** Wakes a process that was replaced while it slept. Asked by somebody who knows no other, it must say nothing, and end. */
  async function wakesToSilence({ part, grpc }: Member, ask: (alone: BerthClient) => Promise<unknown>): Promise<void> {
    died.length = 0;
    const addresses = { registry: grpc, poolManager: grpc, scheduler: grpc };
    const alone = createClient({ addresses, token: cluster.token, timeoutMs: 8_000 });
    // Asked while it sleeps: whatever it says, it says after it woke. That there is no such task is an answer too.
    const answer = ask(alone).then(
      () => "an answer",
      (error: unknown) => (error instanceof ReasonError && error.reason === "NOT_FOUND" ? "an answer" : "no answer"),
    );
    part.signal("SIGCONT");
    await until("the former leader to end", () => died.length > 0);
    expect([await answer, died]).toEqual(["no answer", [`${part.name}: exit code 1`]]);
    alone.close();
  }

  it.each(["registry", "pool-manager", "scheduler", "metrics"] as const)(
    "kill -9 of the %s in mid-work costs nothing but moments",
    async (service) => {
      await under(`kill-${service}`, 60, async () => {
        const leader = await leaderOf(service);
        leader.part.signal("SIGKILL");
        const tookMs = await takeover(service, leader);
        expect(tookMs).toBeLessThan(10_000);
        return `another one was ready after ${tookMs} ms`;
      });
    },
  );

  it("a pool-manager that is stopped for two TTLs is replaced, and when it wakes it says nothing and ends", async () => {
    await under("stop-pool-manager", 150, async () => {
      const leader = await leaderOf("pool-manager");
      const { pid } = leader.part;
      leader.part.signal("SIGSTOP");
      const stoppedMs = performance.now();
      const tookMs = await takeover("pool-manager", leader);
      expect(tookMs).toBeLessThan(10_000);
      await until("two TTLs to be over", () => performance.now() - stoppedMs > 2 * ttlMs, 4 * ttlMs);
      await wakesToSilence(leader, (alone) => alone.pools.getStatus({}));
      return `process ${pid} was stopped for ${(2 * ttlMs) / 1_000} s, replaced after ${tookMs} ms, and ended when it woke`;
    });
  });

  it.each(["registry", "scheduler"] as const)(
    "a %s that is stopped is replaced, and when it wakes it says nothing and ends",
    async (service) => {
      await under(`stop-${service}`, 60, async () => {
        const leader = await leaderOf(service);
        leader.part.signal("SIGSTOP");
        const tookMs = await takeover(service, leader);
        expect(tookMs).toBeLessThan(10_000);
        await wakesToSilence(leader, (alone) =>
          service === "registry" ? alone.registry.listTaskSets({}) : alone.scheduler.explainTask({ task: "any/task" }),
        );
        return `replaced after ${tookMs} ms, and ended when it woke`;
      });
    },
  );

  it.each([
    ["as it was", false],
    ["with an empty store", true],
  ])("nats-server away, and back %s: slower at most", async (_how, empty) => {
    await under(empty ? "nats-empty" : "nats", 60, async () => {
      const { http } = await leaderOf("pool-manager");
      const busIs = async (ok: boolean) => {
        const { ready, checks } = (await (await fetch(`${http}/readyz`)).json()) as {
          ready: boolean;
          checks: Record<string, string>;
        };
        return ready && (checks.bus === "ok") === ok;
      };
      await cluster.nats.kill();
      await until("the pool-manager to say so", () => busIs(false));
      const awayMs = long ? 60_000 : 3_000;
      await new Promise((resolve) => setTimeout(resolve, awayMs));
      await cluster.nats.start({ empty });
      await until("the pool-manager to be on the bus again", () => busIs(true));
      return `away for ${awayMs / 1_000} s`;
    });
  });

  it("PostgreSQL restarted with -m immediate: everything waits, nothing is lost", async () => {
    await under("postgres", 100, async () => {
      await cluster.postgres.stop({ immediate: true });
      await cluster.postgres.start();
      return "restarted";
    });
  });
});
