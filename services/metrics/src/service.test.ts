import { ManualClock } from "@berth/chassis/clock";
import { type Channel, createChannel, createClient, GrpcServer, ReasonError } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import type { Service } from "@berth/chassis/service";
import { metrics as contract, pool, scheduler } from "@berth/contracts";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { metricsConfigSchema } from "./config.js";
import { createMetrics } from "./service.js";
import { MemorySampleStore } from "./store/memory.js";

let peer: GrpcServer;
let peerPort = 0;
let used = 0;
let clock: ManualClock;
let service: Service;
let channel: Channel;

async function openPeer(port: number): Promise<void> {
  const unused = async (): Promise<never> => {
    throw new ReasonError("UNIMPLEMENTED", "not in this test");
  };
  const status = async (): Promise<pool.GetStatusResponse> =>
    pool.GetStatusResponse.fromPartial({
      revision: 42n,
      runningCount: BigInt(used),
      startedCount: 1n,
      limits: [
        { limit: "global", capacity: 4n, used: BigInt(used) },
        { limit: "pool:build", capacity: 2n, used: BigInt(used), overCommitted: BigInt(Math.max(0, used - 2)) },
        { limit: "runner:r1", capacity: 8n, used: BigInt(used) },
      ],
      pools: [{ pool: "build", runningCount: BigInt(used) }],
    });
  const pools = new Proxy({}, { get: (_, name) => (name === "getStatus" ? status : unused) });
  peer = new GrpcServer({ logger: silentLogger, metrics: new Registry() });
  peer.add(pool.PoolServiceDefinition, pools as pool.PoolServiceImplementation);
  peer.add(scheduler.SchedulerServiceDefinition, {
    getQueueStatus: async () =>
      scheduler.GetQueueStatusResponse.fromPartial({
        queueSize: 7n,
        averageWait: { seconds: 1n, nanos: 5e8 },
        assignmentsTotal: 9n,
      }),
    listQueuedTasks: unused,
    explainTask: unused,
    explainTasks: unused,
  });
  peerPort = await peer.listen("127.0.0.1", port);
}

beforeEach(async () => {
  used = 3;
  await openPeer(0);
  const address = `127.0.0.1:${peerPort}`;
  const config = metricsConfigSchema.parse({
    port: 0,
    httpPort: 0,
    poolManagerAddress: address,
    schedulerAddress: address,
  });
  clock = new ManualClock();
  service = createMetrics({
    config,
    clock,
    logger: silentLogger,
    store: new MemorySampleStore({ rawMs: config.keepSamples, minutesMs: config.keepMinutes }),
  });
  await service.start();
  channel = createChannel(`127.0.0.1:${service.port}`);
  await expect.poll(() => service.ready().ready).toBe(true);
});
afterEach(async () => {
  channel.close();
  await service.stop();
  await peer.stop(100);
});

const get = async (path: string, accept = "text/plain"): Promise<Response> =>
  fetch(`http://127.0.0.1:${service.httpPort}${path}`, { headers: { accept } });
const client = () => createClient(contract.MetricsServiceDefinition, channel);

describe("the metrics service", () => {
  it("exports the whole system from one fresh snapshot", async () => {
    const lines = (await (await get("/metrics")).text()).split("\n");
    for (const line of [
      "dispatcher_global_running_count 3",
      "dispatcher_max_global_concurrency 4",
      "dispatcher_global_utilization 0.75",
      'dispatcher_pool_running_count{pool="build"} 3',
      'dispatcher_pool_utilization{pool="build"} 1',
      'berth_limit_overcommit{limit="pool:build"} 1',
      "dispatcher_queue_size 7",
      "dispatcher_running_tasks 1",
      "dispatcher_average_wait_time_seconds 1.5",
      "dispatcher_total_assignments 9",
      "berth_pool_count_drift 0",
      "berth_pool_revision 42",
      'berth_up{service="pool-manager"} 1',
    ]) {
      expect(lines).toContain(line);
    }
    used = 1;
    expect(await (await get("/metrics")).text()).toContain("dispatcher_global_running_count 1\n");
  });

  it("speaks OpenMetrics to whoever prefers it", async () => {
    const response = await get("/metrics", "application/openmetrics-text; version=1.0.0");
    expect(response.headers.get("content-type")).toContain("application/openmetrics-text");
    expect((await response.text()).endsWith("# EOF\n")).toBe(true);
  });

  it("makes nothing up while the others are away, and says so", async () => {
    await peer.stop(100);
    const text = await (await get("/metrics")).text();
    expect(text).toContain('berth_up{service="pool-manager"} 0');
    expect(text).not.toContain("dispatcher_");
    await expect
      .poll(async () => {
        await clock.advance(5_000);
        return (await get("/readyz")).status;
      })
      .toBe(503);
    await openPeer(peerPort);
    await expect
      .poll(
        async () => {
          await clock.advance(5_000);
          return (await get("/readyz")).status;
        },
        { timeout: 10_000 },
      )
      .toBe(200);
  });

  it("keeps samples and answers from them, rolled up and in pages", async () => {
    const startMs = clock.wallMs();
    for (const now of [1, 2, 4]) {
      used = now;
      const before = (await client().listSamples({ limit: "global" })).samples.length;
      await clock.advance(5_000);
      await expect.poll(async () => (await client().listSamples({ limit: "global" })).samples.length).toBe(before + 1);
    }
    const latest = await client().getConcurrency({});
    expect(latest).toMatchObject({ revision: 42n, queueSize: 7n });
    expect(latest.samples.map(({ limit, used: units }) => [limit, units])).toEqual([
      ["global", 4],
      ["pool:build", 4],
    ]);
    const range = { limit: "global", fromTime: new Date(startMs) };
    expect((await client().listSamples(range)).samples.map((sample) => sample.used)).toEqual([3, 1, 2, 4]);
    const first = await client().listSamples({ ...range, pageSize: 3 });
    const second = await client().listSamples({ ...range, pageSize: 3, pageToken: first.nextPageToken });
    expect([...first.samples, ...second.samples].map((sample) => sample.used)).toEqual([3, 1, 2, 4]);
    expect(second.nextPageToken).toBe("");
    const rolled = await client().listSamples({ ...range, step: { seconds: 10n, nanos: 0 } });
    expect(rolled.samples.map(({ used: units, usedMax }) => [units, usedMax])).toEqual([
      [2, 3n],
      [3, 4n],
    ]);
  });

  it("names the field that is wrong", async () => {
    await expect(
      client().listSamples({ limit: "", pageSize: -1, step: { seconds: -1n, nanos: 0 }, pageToken: "x" }),
    ).rejects.toMatchObject({
      reason: "INVALID_FIELD",
      details: { fields: [{ field: "limit" }, { field: "step" }, { field: "page_size" }, { field: "page_token" }] },
    });
  });
});
