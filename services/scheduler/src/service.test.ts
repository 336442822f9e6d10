import { systemClock } from "@berth/chassis/clock";
import { type Channel, createChannel, createClient, GrpcServer, PushStream, ReasonError } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import type { Service } from "@berth/chassis/service";
import { pool, registry, runner, scheduler } from "@berth/contracts";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { schedulerConfigSchema } from "./config.js";
import { createScheduler } from "./service.js";

const { BidResult_Verdict, Lease_State } = pool;

/** A registry and a pool-manager that speak the proto: the ready stream is what the test says, the pool-manager grants up to `capacity`. */
class Peers {
  readonly ready = new Map<string, registry.ReadyTask>();
  readonly leases = new Map<string, pool.Lease>();
  /** What the registry knows of tasks that aren't ready. */
  readonly others = new Map<string, registry.Task>();
  capacity = 1_000;
  port = 0;
  private readonly standing = new Map<string, pool.Bid>();
  private readonly watchers = new Set<PushStream<registry.WatchReadyTasksResponse>>();
  private bidders = new Set<PushStream<pool.StreamBidsResponse>>();
  private server: GrpcServer | undefined;
  private tokens = 0n;

  async listen(port = 0): Promise<void> {
    const unused = async (): Promise<never> => {
      throw new ReasonError("UNIMPLEMENTED", "not in this test");
    };
    const server = new GrpcServer({ logger: silentLogger, metrics: new Registry() });
    server.add(registry.ReadyServiceDefinition, {
      watchReadyTasks: (_, context) => this.watch(context.signal),
      listReadyTasks: unused,
      listRuns: async ({ tasks }) => ({
        runs: tasks.filter((task) => this.ready.has(task)).map((task) => ({ task, run: runOf(task) })),
      }),
    });
    const tasks = new Proxy(
      {},
      { get: (_, name) => (name === "getTask" ? async (request: { task: string }) => this.other(request) : unused) },
    );
    server.add(registry.RegistryServiceDefinition, tasks as registry.RegistryServiceImplementation);
    const pools = new Proxy(
      {},
      {
        get: (_, name) =>
          name === "listLimits" ? async () => ({}) : name === "checkAdmission" ? async () => this.check() : unused,
      },
    );
    server.add(pool.PoolServiceDefinition, pools as pool.PoolServiceImplementation);
    server.add(pool.BidServiceDefinition, { streamBids: (requests) => this.bids(requests), placeBids: unused });
    this.server = server;
    this.port = await server.listen("127.0.0.1", port);
    server.setServing(true);
  }

  async close(): Promise<void> {
    await this.server?.stop(100);
    this.standing.clear();
  }

  submit(...tasks: registry.ReadyTask[]): void {
    for (const task of tasks) this.ready.set(task.task, task);
    this.tell({ ready: tasks, gone: [], complete: false });
  }

  gone(task: string): void {
    this.ready.delete(task);
    this.leases.delete(task);
    this.tell({ ready: [], gone: [task], complete: false });
    this.grant();
  }

  private tell(change: registry.WatchReadyTasksResponse): void {
    for (const watcher of this.watchers) watcher.push(change);
  }

  private other({ task }: { task: string }): registry.GetTaskResponse {
    const found = this.others.get(task);
    if (found) return { task: found };
    throw new ReasonError("NOT_FOUND", `there is no task ${task}: tasks are named {set}/{task}`);
  }

  private async *watch(signal: AbortSignal): AsyncGenerator<registry.WatchReadyTasksResponse> {
    const stream = new PushStream<registry.WatchReadyTasksResponse>();
    signal.addEventListener("abort", () => stream.end());
    stream.push({
      ready: [...this.ready.values()].map((task) => ({ ...task, assigned: this.leases.has(task.task) })),
      gone: [],
      complete: true,
    });
    this.watchers.add(stream);
    yield* stream;
  }

  private async *bids(requests: AsyncIterable<pool.StreamBidsRequest>): AsyncGenerator<pool.StreamBidsResponse> {
    const stream = new PushStream<pool.StreamBidsResponse>();
    this.bidders = new Set([stream]);
    void (async () => {
      for await (const { bids, withdrawals } of requests) {
        for (const { task, attempt } of withdrawals) {
          this.standing.delete(task);
          stream.push({
            results: [pool.BidResult.fromPartial({ task, attempt, verdict: BidResult_Verdict.WITHDRAWN })],
          });
        }
        for (const bid of bids) this.standing.set(bid.task, bid);
        this.grant();
      }
    })().catch(() => undefined);
    yield* stream;
  }

  private grant(): void {
    const results: pool.BidResult[] = [];
    for (const bid of [...this.standing.values()].sort((a, b) => Number(a.rank - b.rank))) {
      if (!this.leases.has(bid.task) && this.leases.size >= this.capacity) continue;
      const { task, attempt } = bid;
      this.standing.delete(task);
      const lease =
        this.leases.get(task) ??
        pool.Lease.fromPartial({
          lease: `lease-${++this.tokens}`,
          task,
          attempt,
          token: this.tokens,
          state: Lease_State.ACTIVE,
          pool: "build",
          runner: "r1",
          incarnation: "i1",
          slot: "r1/1",
        });
      this.leases.set(task, lease);
      results.push(pool.BidResult.fromPartial({ task, attempt, verdict: BidResult_Verdict.GRANTED, lease }));
    }
    if (results.length > 0) for (const bidder of this.bidders) bidder.push({ results });
  }

  private check(): pool.CheckAdmissionResponse {
    const holders = [...this.leases.values()].map(({ lease, task }) =>
      pool.Holder.fromPartial({ lease, task, runner: "r1", weight: 1n }),
    );
    const refusal = pool.Refusal.fromPartial({
      reason: pool.Refusal_Reason.LIMIT_FULL,
      limit: "pool:build",
      pool: "build",
      wanted: 1n,
      used: 1n,
      capacity: 1n,
      holders,
    });
    return pool.CheckAdmissionResponse.fromPartial({ refusals: [refusal] });
  }
}

const runOf = (task: string): runner.Run =>
  runner.Run.fromPartial({ kind: { $case: "command", value: { argv: ["echo", task] } } });
const readyTask = (sequence: number, priority = 0): registry.ReadyTask =>
  registry.ReadyTask.fromPartial({
    task: `s/t${sequence}`,
    attempt: 1,
    pools: ["build"],
    priority,
    sequence: BigInt(sequence),
    readyTime: new Date(),
  });

let peers: Peers;
let service: Service;
let channel: Channel;
const ending = new AbortController();

beforeEach(async () => {
  peers = new Peers();
  await peers.listen();
  await restart();
});
afterEach(async () => {
  channel.close();
  await service.stop();
  await peers.close();
});

async function restart(): Promise<void> {
  const address = `127.0.0.1:${peers.port}`;
  const config = schedulerConfigSchema.parse({
    port: 0,
    httpPort: 0,
    registryAddress: address,
    poolManagerAddress: address,
  });
  service = createScheduler({ config, clock: systemClock, logger: silentLogger });
  await service.start();
  channel = createChannel(`127.0.0.1:${service.port}`);
}

/** Takes work from a stream until `count` items came. */
async function work(count: number): Promise<runner.Work[]> {
  const client = createClient(runner.WorkServiceDefinition, channel);
  const closing = new AbortController();
  const items: runner.Work[] = [];
  try {
    for await (const message of client.streamWork({ runner: "r1", incarnation: "i1" }, { signal: closing.signal })) {
      items.push(...message.work);
      if (items.length >= count) break;
    }
  } finally {
    closing.abort();
  }
  return items;
}

describe("the scheduler over gRPC", () => {
  it("hands out everything that is ready, with lease and run", async () => {
    peers.submit(...Array.from({ length: 1_200 }, (_, index) => readyTask(index + 1)));
    peers.capacity = 5_000;
    const items = await work(1_200);
    expect(new Set(items.map((item) => item.task)).size).toBe(1_200);
    expect(items[0]).toMatchObject({
      attempt: 1,
      pool: "build",
      slot: "r1/1",
      run: { kind: { $case: "command", value: { argv: ["echo", items[0]?.task] } } },
    });
  });

  it("gives a runner that connects again whatever isn't known to have begun, and no more", async () => {
    peers.submit(readyTask(1), readyTask(2));
    expect((await work(2)).length).toBe(2);
    peers.gone("s/t1");
    peers.submit(readyTask(3));
    expect((await work(2)).map((item) => item.task).sort()).toEqual(["s/t2", "s/t3"]);
  });

  it("loses nothing when it is restarted", async () => {
    peers.submit(readyTask(1), readyTask(2));
    const before = await work(2);
    channel.close();
    await service.stop();
    await restart();
    const after = await work(2);
    expect(after.map((item) => item.lease).sort()).toEqual(before.map((item) => item.lease).sort());
  });

  it("loses nothing when the other services go and come back", async () => {
    peers.submit(readyTask(1));
    await work(1);
    const { port } = peers;
    await peers.close();
    await expect.poll(() => service.ready().checks.registry).not.toBe("ok");
    expect(service.ready().ready, "it is degraded, not unready").toBe(true);
    peers.ready.set("s/t2", readyTask(2));
    await peers.listen(port);
    expect((await work(2)).map((item) => item.task).sort()).toEqual(["s/t1", "s/t2"]);
    expect(service.ready()).toEqual({ ready: true, checks: { registry: "ok", "pool-manager": "ok" } });
  });

  it("explains what waits, counts it and lists it in the order of trial", async () => {
    peers.capacity = 1;
    peers.submit(readyTask(1));
    await work(1);
    peers.submit(...[2, 3, 4].map((sequence) => readyTask(sequence)), readyTask(5, 9));
    const client = createClient(scheduler.SchedulerServiceDefinition, channel);
    await expect.poll(async () => (await client.getQueueStatus({})).queueSize).toBe(4n);
    expect(await client.getQueueStatus({})).toMatchObject({
      policy: "priority",
      assignmentsTotal: 1n,
      standingBids: 4n,
      classCount: 1,
      connected: true,
    });
    const first = await client.listQueuedTasks({ pageSize: 3 });
    const second = await client.listQueuedTasks({ pageSize: 3, pageToken: first.nextPageToken });
    expect([...first.tasks, ...second.tasks].map((queued) => queued.task)).toEqual(["s/t5", "s/t2", "s/t3", "s/t4"]);
    expect(second.nextPageToken).toBe("");
    const { ahead, summary } = await client.explainTask({ task: "s/t4" });
    expect(ahead).toBe(3n);
    expect(summary).toBe("waits for pool `build` (1 of 1 in use by s/t1); 3 tasks of its kind are ahead");
    expect(await client.explainTasks({ set: "s", tasks: ["s/t4", "s/t1", "s/nothing"] })).toEqual({
      queuedCount: 4n,
      causes: [{ cause: "pool build full", taskCount: 4n }],
      waits: [{ task: "s/t4", cause: "pool build full" }],
    });
    const tooMany = client.explainTasks({ tasks: Array.from({ length: 1_001 }, () => "s/t4") });
    await expect(tooMany).rejects.toMatchObject({ reason: "INVALID_FIELD" });
    await expect(client.listQueuedTasks({ pageSize: -1 })).rejects.toMatchObject({ reason: "INVALID_FIELD" });
  });

  it("explains what isn't queued by what the registry says of it, and knows no task that isn't there", async () => {
    const client = createClient(scheduler.SchedulerServiceDefinition, channel);
    const { RUNNING, PENDING } = registry.Task_State;
    peers.others.set("s/runs", registry.Task.fromPartial({ state: RUNNING, runner: "r1" }));
    peers.others.set("s/waits", registry.Task.fromPartial({ state: PENDING, spec: { needs: ["runs"] } }));
    const runs = { queued: false, ahead: 0n, refusals: [], summary: "runs on runner `r1`" };
    expect(await client.explainTask({ task: "s/runs" })).toEqual(runs);
    expect(await client.explainTask({ task: "s/waits" })).toMatchObject({
      summary: "waits for the tasks that it needs: runs",
    });
    await expect(client.explainTask({ task: "s/nothing" })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    for (const task of ["", "s", "s/", "/t", "s/t/u", "s/../t"])
      await expect(client.explainTask({ task }), task).rejects.toMatchObject({ reason: "INVALID_FIELD" });
    await peers.close();
    const { summary } = await client.explainTask({ task: "s/runs" });
    expect(summary).toMatch(/isn't queued here; the registry, which knows more, doesn't answer/);
  });

  it("answers a poll as the stream does, and an empty one when there is nothing", async () => {
    const client = createClient(runner.WorkServiceDefinition, channel);
    expect((await client.pollWork({ runner: "r1", incarnation: "i1" })).work).toEqual([]);
    const waiting = client.pollWork({ runner: "r1", incarnation: "i1", wait: { seconds: 5n, nanos: 0 } });
    peers.submit(readyTask(1));
    expect((await waiting).work).toMatchObject([{ task: "s/t1" }]);
    await expect(client.pollWork({ runner: "../r", incarnation: "" })).rejects.toMatchObject({
      reason: "INVALID_FIELD",
    });
  });

  it("exports its figures", async () => {
    peers.submit(readyTask(1), readyTask(2));
    await work(2);
    const text = await (await fetch(`http://127.0.0.1:${service.httpPort}/metrics`, { signal: ending.signal })).text();
    expect(text).toContain("berth_scheduler_grants_total 2");
    expect(text).toContain("berth_scheduler_queue_tasks 0");
    expect(text).toContain('berth_scheduler_bids_refused_total{verdict="lost"} 0');
    expect(text).toMatch(/berth_items_per_message_sum\{hop="work"\} 2/);
  });
});
