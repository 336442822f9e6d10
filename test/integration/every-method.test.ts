import { randomUUID } from "node:crypto";
import { type Channel, createChannel } from "@berth/chassis/grpc";
import { metrics, pool, registry, runner, scheduler } from "@berth/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { methods, notingClient } from "./harness/calls.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
const channels: Channel[] = [];
const answered = new Set<string>();
let berth: Berth;
let call: ReturnType<typeof clients>;

/** This test is the runner: a process by hand, one call after the other. */
const me = { runner: "me", incarnation: randomUUID() };
const succeeded = { result: runner.Outcome_Result.SUCCEEDED, exitCode: 0 };

function clients() {
  const { addresses, token } = berth.client.endpoints;
  const open = (address: string): Channel => {
    const channel = createChannel(address);
    channels.push(channel);
    return channel;
  };
  const to = {
    registry: open(addresses.registry),
    poolManager: open(addresses.poolManager),
    scheduler: open(addresses.scheduler),
    metrics: open(addresses.metrics),
  };
  return {
    tasks: notingClient(registry.RegistryServiceDefinition, to.registry, { token }, answered),
    logs: notingClient(registry.LogServiceDefinition, to.registry, { token }, answered),
    ready: notingClient(registry.ReadyServiceDefinition, to.registry, { token }, answered),
    pools: notingClient(pool.PoolServiceDefinition, to.poolManager, { token }, answered),
    bids: notingClient(pool.BidServiceDefinition, to.poolManager, { token }, answered),
    ledger: notingClient(pool.LeaseLedgerServiceDefinition, to.poolManager, { token }, answered),
    leases: notingClient(runner.LeaseServiceDefinition, to.poolManager, { token }, answered),
    work: notingClient(runner.WorkServiceDefinition, to.scheduler, { token }, answered),
    queues: notingClient(scheduler.SchedulerServiceDefinition, to.scheduler, { token }, answered),
    history: notingClient(metrics.MetricsServiceDefinition, to.metrics, { token }, answered),
  };
}

beforeAll(async () => {
  berth = await startBerth(folder.path);
  call = clients();
});
afterAll(async () => {
  for (const channel of channels) channel.close();
  await berth?.stop();
  folder.remove();
});

/** The first item of a stream that the test wants; the stream is then ended. */
async function first<Item>(items: AsyncIterable<Item>, wanted: (item: Item) => boolean = () => true): Promise<Item> {
  for await (const item of items) if (wanted(item)) return item;
  throw new Error("the stream ended before the item that was waited for");
}

async function* sent<Item>(...items: Item[]): AsyncGenerator<Item> {
  yield* items;
}

/** A task of pool `hand` that nobody starts by itself. */
const byHand = (id: string) => ({ id, pool: "hand", run: commandOf("true") });
const commandOf = (program: string) => ({ kind: { $case: "command" as const, value: { argv: [program] } } });
const bid = (task: string) => ({ task, attempt: 1, pools: ["hand"], readyTime: new Date() });

/** Work that has come, by task. */
const received = new Map<string, runner.Work>();

function receive(work: readonly runner.Work[]): void {
  for (const item of work) received.set(item.task, item);
}

/** Takes the work of one task and starts it. */
async function takeAndStart(task: string): Promise<runner.Work> {
  await until(`work for ${task}`, async () => {
    if (!received.has(task)) receive((await call.work.pollWork({ ...me, wait: { seconds: 1n, nanos: 0 } })).work);
    return received.has(task);
  });
  const work = received.get(task) as runner.Work;
  const { lease, token } = work;
  await call.leases.reportStarts({ ...me, starts: [{ lease, token, startTime: new Date() }] });
  return work;
}

describe("over the wire", () => {
  it("pools and limits are made, changed under their etags, listed in pages and deleted", async () => {
    const { pools } = call;
    const request = {
      pool: { pool: "hand", type: pool.Pool_Type.REMOTE, maxConcurrency: 2n, slots: ["w1", "w2", "w3"] },
      requestId: randomUUID(),
    };
    const { pool: made } = await pools.createPool(request);
    expect(await pools.createPool(request)).toEqual({ pool: made });
    const other = { ...request, pool: { ...request.pool, maxConcurrency: 3n } };
    await expect(pools.createPool(other)).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
    await expect(pools.createPool({ ...other, requestId: "" })).rejects.toMatchObject({ reason: "ALREADY_EXISTS" });
    await expect(pools.createPool({ ...other, requestId: "no id!" })).rejects.toMatchObject({
      reason: "INVALID_FIELD",
    });
    const paused = await pools.updatePool({ pool: { pool: "hand", paused: true, etag: made?.etag ?? "" } });
    expect(paused.pool).toMatchObject({ paused: true, maxConcurrency: 2n, slots: ["w1", "w2", "w3"] });
    const stale = pools.updatePool({ pool: { pool: "hand", etag: made?.etag ?? "" }, updateMask: ["paused"] });
    await expect(stale).rejects.toMatchObject({ reason: "STALE_ETAG" });
    await pools.updatePool({ pool: { pool: "hand" }, updateMask: ["paused"] });
    expect((await pools.getPool({ pool: "hand" })).pool).toMatchObject({ paused: false, maxConcurrency: 2n });
    const limit = { limit: { limit: "api:llm", capacity: 3n }, requestId: randomUUID() };
    await pools.createLimit(limit);
    await pools.createLimit(limit);
    const changed = { ...limit, limit: { ...limit.limit, capacity: 4n } };
    await expect(pools.createLimit(changed)).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
    await pools.updateLimit({ limit: { limit: "api:llm" }, updateMask: ["capacity"] });
    expect((await pools.getLimit({ limit: "api:llm" })).limit).toMatchObject({ capacity: 0n });
    await pools.createLimit({ limit: { limit: "brief", capacity: 1n } });
    await pools.deleteLimit({ limit: "brief" });
    const { changes } = await pools.listLimitChanges({ limit: "brief" });
    expect(changes).toMatchObject([{ oldCapacity: 1n, newCapacity: undefined }, { newCapacity: 1n }]);
    await pools.createPool({ pool: { pool: "brief" } });
    await pools.deletePool({ pool: "brief" });
    await expect(pools.getPool({ pool: "brief" })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    const { version, limits } = await first(pools.watchCatalogue({}));
    expect(version).toBeGreaterThan(0n);
    expect(limits.map((each) => each.limit)).toEqual(expect.arrayContaining(["api:llm", "global", "pool:hand"]));
  });

  it("a runner attaches, is bid for, and the refusal of one bid too many names who holds what", async () => {
    const { pools, bids, leases, ledger } = call;
    const nobody = await pools.checkAdmission({ bid: bid("x/1") });
    expect(nobody).toMatchObject({ admitted: false, refusals: [{ reason: pool.Refusal_Reason.NO_RUNNER }] });
    await leases.attachRunner({ ...me, pools: ["hand"], capacity: 5, earlierProcessesDead: true });
    expect(await pools.checkAdmission({ bid: bid("x/1") })).toMatchObject({ admitted: true });
    const { results } = await bids.placeBids({ bids: [bid("x/1"), bid("x/2"), bid("x/3")] });
    const verdicts = pool.BidResult_Verdict;
    expect(results.map(({ verdict }) => verdict)).toEqual([verdicts.GRANTED, verdicts.GRANTED, verdicts.REFUSED]);
    expect(results[2]?.refusals).toMatchObject([
      { reason: pool.Refusal_Reason.LIMIT_FULL, limit: "pool:hand", used: 2n, capacity: 2n },
    ]);
    expect(results[2]?.refusals[0]?.holders.map(({ task, runner: by }) => `${task} ${by}`)).toEqual([
      "x/1 me",
      "x/2 me",
    ]);
    const again = await bids.placeBids({ bids: [bid("x/1")] });
    expect(again.results[0]?.lease?.lease).toBe(results[0]?.lease?.lease);
    await expect(pools.deletePool({ pool: "hand" })).rejects.toMatchObject({ reason: "WRONG_STATE" });
    const standing = await first(bids.streamBids(sent({ bids: [bid("x/1")], withdrawals: [] })));
    expect(standing.results).toMatchObject([{ task: "x/1", verdict: verdicts.GRANTED }]);
    const forbidden = await ledger.forbidAttempts({ attempts: [{ task: "x/3", attempt: 1 }], reason: "not that one" });
    expect(forbidden.results).toMatchObject([{ task: "x/3", found: pool.ForbidResult_Found.NO_LEASE }]);
    expect((await bids.placeBids({ bids: [bid("x/3")] })).results).toMatchObject([{ verdict: verdicts.LOST }]);
  });

  it("assignments are found by task, runner, slot, pool, limit and time, page by page, at one revision with the counts", async () => {
    const { pools } = call;
    const tasksOf = async (filter: Parameters<typeof pools.listAssignments>[0]) =>
      (await pools.listAssignments(filter)).leases.map(({ task }) => task);
    const { leases } = await pools.listAssignments({ pool: "hand" });
    expect(leases.map(({ task, runner: by }) => `${task} ${by}`)).toEqual(["x/2 me", "x/1 me"]);
    const [newest, oldest] = leases;
    expect(await tasksOf({ task: "x/1" })).toEqual(["x/1"]);
    expect(await tasksOf({ runner: "me", limit: "global", occupying: true })).toEqual(["x/2", "x/1"]);
    expect(await tasksOf({ slot: newest?.slot ?? "" })).toEqual(["x/2"]);
    expect(await tasksOf({ pool: "hand", toTime: oldest?.grantTime })).toEqual([]);
    expect(await tasksOf({ pool: "hand", fromTime: newest?.grantTime })).toEqual(["x/2", "x/1"]);
    const page = await pools.listAssignments({ pool: "hand", pageSize: 1 });
    expect(await tasksOf({ pool: "hand", pageSize: 1, pageToken: page.nextPageToken })).toEqual(["x/1"]);
    const status = await pools.getStatus({});
    const used = Object.fromEntries(status.limits.map((limit) => [limit.limit, limit.used]));
    expect(used).toMatchObject({ global: 2n, "pool:hand": 2n, "runner:me": 2n });
    expect(status.grantedTotal - status.releasedTotal).toBe(status.runningCount);
  });

  it("a lease is started, renewed and completed by calls or on one stream, and each of it is an event in the journal", async () => {
    const { pools, leases, ledger } = call;
    const held = (await pools.listAssignments({ pool: "hand", occupying: true })).leases;
    const [two, one] = held.map(({ lease, token }) => ({ lease, token }));
    if (!one || !two) throw new Error("two leases are needed");
    await leases.reportStarts({ ...me, starts: [one] });
    const inventory = [one, two].map((each) => ({ ...each, state: runner.LeaseReport_State.RUNNING }));
    expect(await leases.renewLeases({ ...me, renewal: 7n, inventory })).toMatchObject({ renewal: 7n, revocations: [] });
    const done = await leases.completeLeases({ ...me, completions: [{ ...one, outcome: succeeded }] });
    expect(done.results).toMatchObject([{ lease: one.lease, verdict: runner.CompletionResult_Verdict.APPLIED }]);
    const attach = { ...me, pools: ["hand"], capacity: 5, inventory: [] };
    const complete = { ...me, completions: [{ ...two, outcome: succeeded }] };
    const answers: (string | undefined)[] = [];
    const requests = sent<Parameters<typeof runner.StreamLeasesRequest.fromPartial>[0]>(
      {
        kind: {
          $case: "attach",
          value: { ...attach, inventory: [{ ...two, state: runner.LeaseReport_State.RUNNING }] },
        },
      },
      { kind: { $case: "complete", value: complete } },
    );
    for await (const { kind } of leases.streamLeases(requests)) answers.push(kind?.$case);
    expect(answers).toEqual(["attach", "complete"]);
    const { events, nextPosition } = await ledger.listLeaseEvents({});
    const kinds = events.filter(({ lease }) => lease?.lease === one.lease).map(({ kind }) => kind);
    const { GRANTED, STARTED, RELEASED } = pool.LeaseEvent_Kind;
    expect(kinds).toEqual([GRANTED, STARTED, RELEASED]);
    const watched = await first(ledger.watchLeaseEvents({ afterPosition: 0n }), ({ events: some }) => some.length > 0);
    expect(watched.events[0]).toMatchObject({ position: events[0]?.position });
    await ledger.acknowledgeLeaseEvents({ position: nextPosition });
  });

  it("tasks are taken, queued, explained and listed in pages; the same request is answered alike", async () => {
    const { tasks, ready, queues, pools } = call;
    await pools.updatePool({ pool: { pool: "hand", paused: true } });
    const request = { set: "s", tasks: ["a", "b", "c"].map(byHand), requestId: randomUUID() };
    expect(await tasks.submitTasks(request)).toMatchObject({ taskCount: 3, repeatedRequest: false });
    expect(await tasks.submitTasks(request)).toMatchObject({ taskCount: 3, repeatedRequest: true });
    const other = tasks.submitTasks({ ...request, tasks: [byHand("d")] });
    await expect(other).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
    await until("the queue to hold all three", async () => (await queues.getQueueStatus({})).queueSize === 3n);
    const { refusals, queued } = await queues.explainTask({ task: "s/b" });
    expect({ queued, reasons: refusals.map(({ reason }) => reason) }).toEqual({
      queued: true,
      reasons: [pool.Refusal_Reason.POOL_PAUSED],
    });
    expect(await queues.explainTasks({ set: "s", tasks: ["s/b"] })).toMatchObject({
      queuedCount: 3n,
      causes: [{ cause: "pool hand paused", taskCount: 3n }],
      waits: [{ task: "s/b", cause: "pool hand paused" }],
    });
    const lists = {
      tasks: async (page: object) => {
        const { tasks: items, nextPageToken } = await tasks.listTasks({ filter: { set: "s" }, ...page });
        return { items: items.map(({ task }) => task), nextPageToken };
      },
      ready: async (page: object) => {
        const { tasks: items, nextPageToken } = await ready.listReadyTasks({ ...page });
        return { items: items.map(({ task }) => task), nextPageToken };
      },
      queued: async (page: object) => {
        const { tasks: items, nextPageToken } = await queues.listQueuedTasks({ pool: "hand", ...page });
        return { items: items.map(({ task }) => task), nextPageToken };
      },
      sets: async (page: object) => {
        const { taskSets: items, nextPageToken } = await tasks.listTaskSets({ ...page });
        return { items: items.map(({ set }) => set), nextPageToken };
      },
      pools: async (page: object) => {
        const { pools: items, nextPageToken } = await pools.listPools({ ...page });
        return { items: items.map((each) => each.pool), nextPageToken };
      },
      limits: async (page: object) => {
        const { limits: items, nextPageToken } = await pools.listLimits({ ...page });
        return { items: items.map((each) => each.limit), nextPageToken };
      },
      changes: async (page: object) => {
        const { changes: items, nextPageToken } = await pools.listLimitChanges({ ...page });
        return { items: items.map(({ limit, revision }) => `${limit} ${revision}`), nextPageToken };
      },
      assignments: async (page: object) => {
        const { leases: items, nextPageToken } = await pools.listAssignments({ ...page });
        return { items: items.map(({ lease }) => lease), nextPageToken };
      },
    };
    for (const [name, list] of Object.entries(lists)) {
      const whole = await list({ pageSize: 1_000_000 });
      expect(whole.nextPageToken, name).toBe("");
      expect(whole.items.length, name).toBeGreaterThan(0);
      const paged: string[] = [];
      for (let pageToken = ""; ; ) {
        const page = await list({ pageSize: 1, pageToken });
        expect(page.items.length, name).toBe(1);
        paged.push(...page.items);
        pageToken = page.nextPageToken;
        if (pageToken === "") break;
      }
      expect(paged, name).toEqual(whole.items);
      for (const wrong of [{ pageSize: -1 }, { pageToken: "?" }])
        await expect(list(wrong), `${name} ${JSON.stringify(wrong)}`).rejects.toMatchObject({
          reason: "INVALID_FIELD",
        });
    }
  });

  it("a task runs by hand on both kinds of work call, with output that is read in pages and watched, and progress", async () => {
    const { tasks, logs, ready, work, leases, pools } = call;
    await pools.updatePool({ pool: { pool: "hand" }, updateMask: ["paused"] });
    expect((await ready.listRuns({ tasks: ["s/a"] })).runs).toMatchObject([{ task: "s/a", run: commandOf("true") }]);
    expect((await first(ready.watchReadyTasks({}))).complete).toBe(false);
    const streamed = await first(work.streamWork(me));
    expect(streamed.work[0]?.task).toMatch(/^s\//);
    receive(streamed.work);
    const { lease, token } = await takeAndStart("s/a");
    const piece = (offset: number, data: Buffer) => ({ task: "s/a", attempt: 1, offset: BigInt(offset), data, token });
    const half = Buffer.alloc(65_536, "x");
    await logs.streamLogs(sent({ chunks: [piece(0, half)], progress: [{ task: "s/a", attempt: 1, fraction: 0.5 }] }));
    const following = logs.watchLogs({ task: "s/a" })[Symbol.asyncIterator]();
    expect((await following.next()).value?.chunks).toMatchObject([{ offset: 0n }]);
    for (const _repeat of [1, 2]) await logs.appendLogs({ chunks: [piece(65_536, Buffer.from("end"))] });
    expect((await following.next()).value?.chunks).toMatchObject([{ offset: 65_536n, data: Buffer.from("end") }]);
    const page = await logs.getLogs({ task: "s/a", maxBytes: 65_536n });
    expect(page).toMatchObject({ attempt: 1, nextOffset: 65_536n, cutBytes: 0n });
    const rest = await logs.getLogs({ task: "s/a", attempt: 1, fromOffset: page.nextOffset });
    expect(rest.chunks.map(({ data }) => data.toString())).toEqual(["end"]);
    expect(rest.nextOffset).toBe(0n);
    const resumed = await first(logs.watchLogs({ task: "s/a", attempt: 1, fromOffset: 65_536n }));
    expect(resumed.chunks.map(({ data }) => data.toString())).toEqual(["end"]);
    await expect(logs.getLogs({ task: "s/a", attempt: 2 })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(logs.getLogs({ task: "s/a", attempt: -1 })).rejects.toMatchObject({ reason: "INVALID_FIELD" });
    expect((await tasks.getTask({ task: "s/a" })).task).toMatchObject({ state: "STATE_RUNNING", progress: 0.5 });
    const explained = async () => (await call.queues.explainTask({ task: "s/a" })).summary;
    expect(await explained()).toMatch(/^runs on runner `me` since 20/);
    const outcome = { ...succeeded, outputBytes: 65_539n };
    await leases.completeLeases({ ...me, completions: [{ lease, token, outcome }] });
    expect(await following.next()).toMatchObject({ done: true });
    const seen = await first(tasks.watchTasks({ filter: { tasks: ["s/a"], states: [registry.Task_State.SUCCEEDED] } }));
    expect(seen.tasks[0]).toMatchObject({ task: "s/a", state: "STATE_SUCCEEDED", runner: "me", pool: "hand" });
    expect(await explained()).toMatch(/^has succeeded at 20/);
    await expect(call.queues.explainTask({ task: "s/nope" })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    expect((await tasks.getTaskSet({ set: "s" })).taskSet).toMatchObject({ taskCount: 3n, done: false });
  });

  it("a cancelled task's run is revoked; a retry begins anew; what isn't there is said to be missing", async () => {
    const { tasks, leases, pools } = call;
    const { lease, token } = await takeAndStart("s/b");
    const filter = { tasks: ["s/b"] };
    expect(await tasks.cancelTasks({ filter, reason: "changed my mind" })).toMatchObject({ cancelledCount: 1 });
    const inventory = [{ lease, token, state: runner.LeaseReport_State.RUNNING }];
    await until("the revocation", async () => {
      const { revocations } = await leases.renewLeases({ ...me, renewal: 8n, inventory });
      return revocations.some((each) => each.lease === lease);
    });
    expect((await pools.listAssignments({ task: "s/b" })).leases).toMatchObject([{ state: "STATE_REVOKING" }]);
    const stopped = { result: runner.Outcome_Result.STOPPED };
    await leases.completeLeases({ ...me, completions: [{ lease, token, outcome: stopped }] });
    await until("s/b to be cancelled", async () => {
      const { task } = await tasks.getTask({ task: "s/b" });
      return task?.state === registry.Task_State.CANCELLED;
    });
    expect(await tasks.retryTasks({ filter })).toMatchObject({ retriedCount: 1 });
    for (const wrong of [{ tasks: ["s/b", "s/nope"] }, { set: "nope" }]) {
      await expect(tasks.retryTasks({ filter: wrong })).rejects.toMatchObject({ reason: "NOT_FOUND" });
      await expect(tasks.cancelTasks({ filter: wrong })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    }
    await expect(tasks.watchTasks({ resumeRevision: -1n })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      reason: "INVALID_FIELD",
    });
  });

  it("a result that comes after its runner was given up is kept, and accepted once a person says so", async () => {
    const { tasks, leases } = call;
    const { lease, token } = await takeAndStart("s/c");
    await leases.detachRunner(me);
    await expect(leases.renewLeases({ ...me, renewal: 9n })).rejects.toMatchObject({ reason: "SESSION_EXPIRED" });
    const reborn = { runner: "me", incarnation: randomUUID() };
    await leases.attachRunner({ ...reborn, pools: [], capacity: 1, earlierProcessesDead: true });
    const late = await leases.completeLeases({ ...reborn, completions: [{ lease, token, outcome: succeeded }] });
    expect(late.results).toMatchObject([{ lease, verdict: runner.CompletionResult_Verdict.LATE }]);
    await until("the registry to hear of it", async () => {
      const { task } = await tasks.getTask({ task: "s/c" });
      return task?.attempts[0]?.lateOutcome !== undefined;
    });
    await tasks.acceptLateResult({ task: "s/c", attempt: 1 });
    await until("the task to have taken the result", async () => {
      const { task } = await tasks.getTask({ task: "s/c" });
      return task?.state === registry.Task_State.SUCCEEDED;
    });
    const { task } = await tasks.getTask({ task: "s/c" });
    expect(task?.events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["RunnerLost", "LateResultKept", "LateResultAccepted", "TaskSucceeded"]),
    );
  });

  it("the history knows each limit", async () => {
    await until("a sample that knows pool:hand", async () => {
      const { samples } = await call.history.getConcurrency({});
      return samples.some(({ limit }) => limit === "pool:hand");
    });
    expect((await call.history.listSamples({ limit: "pool:hand" })).samples.length).toBeGreaterThan(0);
  });

  it("every method of the protos has answered in this file", () => {
    expect([...answered].sort()).toEqual(methods.map(({ path }) => path).sort());
  });
});
