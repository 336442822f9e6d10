import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InProcessBus } from "@berth/chassis/bus";
import { systemClock } from "@berth/chassis/clock";
import { type Channel, createChannel, createClient } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import { metrics, pool, registry, runner } from "@berth/contracts";
import { createMetrics, metricsConfigSchema } from "@berth/metrics";
import { createPoolManager, poolManagerConfig } from "@berth/pool-manager";
import { createRegistry, registryConfigSchema } from "@berth/registry";
import { type PostgresServer, serversAvailable, startPostgres } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scratchFolder } from "./harness/berth.js";
import { start as startCommand } from "./harness/command.js";
import { until } from "./harness/until.js";

/** The services that keep something, as they run. */
interface Running {
  readonly pools: Channel;
  readonly tasks: Channel;
  readonly history: Channel;
  stop(): Promise<void>;
}

describe.skipIf(!serversAvailable().postgres)("services on one PostgreSQL database (needs its programs)", () => {
  const scratch = scratchFolder();
  const dataFolder = join(scratch.path, "unused");
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ folder: scratch.path });
  });
  const processes: ReturnType<typeof startCommand>[] = [];
  afterAll(async () => {
    for (const { child } of processes) if (child.exitCode === null) child.kill("SIGKILL");
    await server.stop({ immediate: true });
    scratch.remove();
  });

  async function start(prefix = "berth"): Promise<Running> {
    const common = { port: 0, httpPort: 0, dataFolder, database: server.url };
    const parts = {
      clock: systemClock,
      logger: silentLogger,
      bus: new InProcessBus({ clock: systemClock, logger: silentLogger }),
      onFailed: (error: Error) => {
        throw error;
      },
    };
    const poolManager = createPoolManager({
      ...parts,
      dataId: prefix,
      config: poolManagerConfig.parse({ ...common, databaseSchema: `${prefix}_pool_manager`, pools: { default: {} } }),
    });
    await poolManager.start();
    // With a database it may be a standby at first.
    await until("the pool-manager to lead", () => poolManager.ready().ready);
    const poolManagerAddress = `127.0.0.1:${poolManager.port}`;
    const tasks = createRegistry({
      ...parts,
      config: registryConfigSchema.parse({ ...common, databaseSchema: `${prefix}_registry`, poolManagerAddress }),
    });
    await tasks.start();
    await until("the registry to lead", () => tasks.ready().ready);
    const history = createMetrics({
      ...parts,
      config: metricsConfigSchema.parse({
        ...common,
        databaseSchema: `${prefix}_metrics`,
        poolManagerAddress,
        sampleInterval: 100,
      }),
    });
    await history.start();
    const channels = [poolManager.port, tasks.port, history.port].map((port) => createChannel(`127.0.0.1:${port}`));
    const [pools, tasksChannel, historyChannel] = channels as [Channel, Channel, Channel];
    return {
      pools,
      tasks: tasksChannel,
      history: historyChannel,
      async stop() {
        for (const channel of channels) channel.close();
        for (const service of [history, tasks, poolManager]) await service.stop();
      },
    };
  }

  async function runOnce(running: Running, task: string): Promise<void> {
    const leases = createClient(runner.LeaseServiceDefinition, running.pools);
    const identity = { runner: "r", incarnation: task };
    await leases.attachRunner({ ...identity, pools: ["default"], capacity: 1, earlierProcessesDead: true });
    const { results } = await createClient(pool.BidServiceDefinition, running.pools).placeBids({
      bids: [{ task, attempt: 1, pools: ["default"] }],
    });
    const lease = results[0]?.lease;
    await createClient(registry.LogServiceDefinition, running.tasks).appendLogs({
      chunks: [{ task, attempt: 1, offset: 0n, data: Buffer.from("hello \0 there"), token: lease?.token ?? 0n }],
    });
    const outcome = { result: runner.Outcome_Result.SUCCEEDED, exitCode: 0, message: "NUL \0 and \u{1F600}" };
    await leases.completeLeases({
      ...identity,
      completions: [{ lease: lease?.lease ?? "", token: lease?.token ?? 0n, outcome }],
    });
  }

  async function seen(running: Running): Promise<Record<string, unknown>> {
    const tasks = createClient(registry.RegistryServiceDefinition, running.tasks);
    const { taskSet } = await tasks.getTaskSet({ set: "s" });
    const { task } = await tasks.getTask({ task: "s/a" });
    const logs = await createClient(registry.LogServiceDefinition, running.tasks).getLogs({ task: "s/a", attempt: 1 });
    const { leases } = await createClient(pool.PoolServiceDefinition, running.pools).listAssignments({
      task: "s/a",
    });
    return {
      counts: taskSet?.taskCounts,
      displayName: taskSet?.displayName,
      outcome: task?.attempts[0]?.outcome,
      logs: logs.chunks.map(({ data }) => Buffer.from(data).toString()),
      leases: leases.map(({ lease, token, reason }) => ({ lease, token, reason })),
    };
  }

  it("tell the same story after a restart, and leave nothing in the data folder", async () => {
    const first = await start();
    const tasks = createClient(registry.RegistryServiceDefinition, first.tasks);
    const run = { kind: { $case: "command" as const, value: { argv: ["true"] } } };
    await tasks.submitTasks({
      set: "s",
      displayName: "a \\ and \u{1F600}",
      tasks: [
        { id: "a", run },
        { id: "b", needs: ["a"], run },
      ],
    });
    await runOnce(first, "s/a");
    await until(
      "the task to succeed",
      async () => (await tasks.getTask({ task: "s/a" })).task?.state === "STATE_SUCCEEDED",
    );
    const before = await seen(first);
    expect(before).toMatchObject({ counts: { SUCCEEDED: 1n, READY: 1n }, logs: ["hello \0 there"] });
    expect(before["outcome"]).toMatchObject({ message: "NUL \0 and \u{1F600}" });
    const history = createClient(metrics.MetricsServiceDefinition, first.history);
    await until("a sample", async () => (await history.listSamples({ limit: "global" })).samples.length > 0);
    await first.stop();

    const second = await start();
    expect(await seen(second)).toEqual(before);
    const later = createClient(metrics.MetricsServiceDefinition, second.history);
    expect((await later.listSamples({ limit: "global" })).samples.length).toBeGreaterThan(0);
    await second.stop();
    expect(existsSync(dataFolder)).toBe(false);
  });

  it("migrate once when several processes start at once, and say without a password what is wrong", async () => {
    const main = fileURLToPath(new URL("../../services/metrics/dist/main.js", import.meta.url));
    const metricsProcess = (database: string) => {
      const settings = {
        BERTH_DATABASE: database,
        BERTH_DATABASE_SCHEMA: "at_once",
        BERTH_PORT: "0",
        BERTH_HTTP_PORT: "0",
      };
      const environment = { PATH: process.env["PATH"], ...settings };
      const started = startCommand(process.execPath, [main], { cwd: scratch.path, environment });
      processes.push(started);
      return started;
    };
    const several = [1, 2, 3].map(() => metricsProcess(server.url));
    for (const one of several) {
      await until("a process to start", () => {
        if (one.child.exitCode !== null) throw new Error(one.out() + one.error());
        return one.out().includes("metrics has started");
      });
    }
    for (const one of several) one.child.kill("SIGTERM");
    const ended = await Promise.all(several.map((one) => one.ended));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
    const wrong = new URL(server.url);
    wrong.pathname = "/nowhere";
    const refused = await metricsProcess(wrong.href).ended;
    expect(refused.code).toBe(1);
    expect(refused.out).toContain("there is no database nowhere");
    for (const { out, error } of [...ended, refused]) expect(out + error).not.toContain(wrong.password);
  });

  it("know nothing of another Berth in the same database", async () => {
    const other = await start("other");
    const { taskSets } = await createClient(registry.RegistryServiceDefinition, other.tasks).listTaskSets({});
    expect(taskSets).toEqual([]);
    await other.stop();
  });
});
