import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InProcessBus } from "@berth/chassis/bus";
import { systemClock } from "@berth/chassis/clock";
import { type Channel, createChannel, createClient, GrpcServer, PushStream } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import type { Service } from "@berth/chassis/service";
import { pool, registry as wire } from "@berth/contracts";
import { Registry as Metrics } from "prom-client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { registryConfigSchema } from "./config.js";
import { createRegistry } from "./service.js";

/** The pool-manager's journal and catalogue as a test dictates them. */
class Ledger {
  readonly events: pool.LeaseEvent[] = [];
  readonly forbidden: string[] = [];
  readonly acknowledged: number[] = [];
  private readonly readers = new Set<PushStream<pool.WatchLeaseEventsResponse>>();
  private readonly server = new GrpcServer({ logger: silentLogger, metrics: new Metrics() });

  async start(): Promise<number> {
    const { readers, forbidden, acknowledged } = this;
    const events = (after: bigint) => this.events.filter(({ position }) => position > after);
    const answer = (some: pool.LeaseEvent[]) =>
      pool.WatchLeaseEventsResponse.fromPartial({
        events: some,
        nextPosition: some.at(-1)?.position ?? 0n,
        firstPosition: 1n,
      });
    const stream = async function* <Item>(reader: PushStream<Item>, signal: AbortSignal): AsyncGenerator<Item> {
      signal.addEventListener("abort", () => reader.end(), { once: true });
      yield* reader;
    };
    const ledger: Partial<pool.LeaseLedgerServiceImplementation> = {
      watchLeaseEvents({ afterPosition }, { signal }) {
        const reader = new PushStream<pool.WatchLeaseEventsResponse>();
        reader.push(answer(events(afterPosition)));
        readers.add(reader);
        return stream(reader, signal);
      },
      async acknowledgeLeaseEvents({ position }) {
        acknowledged.push(Number(position));
        return {};
      },
      async forbidAttempts({ attempts }) {
        forbidden.push(...attempts.map(({ task, attempt }) => `${task}#${attempt}`));
        return {
          results: attempts.map(({ task, attempt }) => ({ task, attempt, found: pool.ForbidResult_Found.NO_LEASE })),
        };
      },
    };
    const pools: Partial<pool.PoolServiceImplementation> = {
      watchCatalogue(_request, { signal }) {
        const reader = new PushStream<pool.WatchCatalogueResponse>();
        reader.push(
          pool.WatchCatalogueResponse.fromPartial({
            version: 1n,
            pools: [{ pool: "default" }],
            limits: [{ limit: "global", capacity: 10n }],
          }),
        );
        return stream(reader, signal);
      },
    };
    this.server.add(pool.LeaseLedgerServiceDefinition, {
      ...refusing(pool.LeaseLedgerServiceDefinition),
      ...ledger,
    } as pool.LeaseLedgerServiceImplementation);
    this.server.add(pool.PoolServiceDefinition, {
      ...refusing(pool.PoolServiceDefinition),
      ...pools,
    } as pool.PoolServiceImplementation);
    return this.server.listen("127.0.0.1", 0);
  }

  say(
    kind: pool.LeaseEvent_Kind,
    task: string,
    attempt: number,
    lease: Parameters<typeof pool.Lease.fromPartial>[0] = {},
  ): void {
    const position = BigInt(this.events.length + 1);
    const event = pool.LeaseEvent.fromPartial({
      position,
      kind,
      eventTime: new Date(systemClock.wallMs()),
      lease: {
        lease: `l-${task}-${attempt}`,
        task,
        attempt,
        token: 7n,
        runner: "r1",
        pool: "default",
        slot: "r1/1",
        grantTime: new Date(systemClock.wallMs()),
        ...lease,
      },
    });
    this.events.push(event);
    for (const reader of this.readers)
      reader.push(
        pool.WatchLeaseEventsResponse.fromPartial({ events: [event], nextPosition: position, firstPosition: 1n }),
      );
  }

  succeed(task: string, attempt = 1): void {
    this.say(pool.LeaseEvent_Kind.GRANTED, task, attempt);
    this.say(pool.LeaseEvent_Kind.RELEASED, task, attempt, {
      reason: pool.Lease_Reason.COMPLETED,
      state: pool.Lease_State.RELEASED,
      outcome: {
        result: "RESULT_SUCCEEDED",
        exitCode: 0,
        startTime: new Date(1_000),
        endTime: new Date(3_000),
        outputBytes: 5n,
      },
    });
  }

  stop(): Promise<void> {
    return this.server.stop(100);
  }
}

/** Every method of a service, each of them refusing: the registry shouldn't call those. */
function refusing({ methods }: { readonly methods: object }): Record<string, () => never> {
  const refuse = (): never => {
    throw new Error("not part of this test");
  };
  return Object.fromEntries(Object.keys(methods).map((name) => [name, refuse]));
}

const spec = (id: string, needs: string[] = []) => ({
  id,
  needs,
  run: { kind: { $case: "command" as const, value: { argv: ["true"] } } },
});

describe("the registry over gRPC", () => {
  let folder: string;
  let ledger: Ledger;
  let service: Service;
  let channel: Channel;
  let poolPort: number;

  async function open(more: Record<string, unknown> = {}): Promise<void> {
    const config = registryConfigSchema.parse({
      port: 0,
      httpPort: 0,
      dataFolder: folder,
      poolManagerAddress: `127.0.0.1:${poolPort}`,
      ...more,
    });
    const bus = new InProcessBus({ clock: systemClock, logger: silentLogger });
    service = createRegistry({
      config,
      clock: systemClock,
      logger: silentLogger,
      bus,
      onFailed: (error) => {
        throw error;
      },
    });
    await service.start();
    channel = createChannel(`127.0.0.1:${service.port}`);
  }

  async function close(): Promise<void> {
    channel.close();
    await service.stop();
  }

  const tasks = () => createClient(wire.RegistryServiceDefinition, channel);
  const logs = () => createClient(wire.LogServiceDefinition, channel);
  const ready = () => createClient(wire.ReadyServiceDefinition, channel);

  /** Waits, on a watch, until every task of a set is in the state. */
  async function until(set: string, state: wire.Task_State, count: number): Promise<void> {
    const there = new Set<string>();
    for await (const { tasks: changed } of tasks().watchTasks({ filter: { set } })) {
      for (const task of changed) if (task.state === state) there.add(task.task);
      if (there.size === count) return;
    }
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "registry-"));
    ledger = new Ledger();
    poolPort = await ledger.start();
    await open();
  });

  afterEach(async () => {
    await close();
    await ledger.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("takes tasks, follows their leases and tells the whole story, also after a restart", async () => {
    const submitted = await tasks().submitTasks({
      set: "s1",
      displayName: "Demo",
      tasks: [spec("a"), spec("b", ["a"])],
      requestId: "r-1",
    });
    expect(submitted).toMatchObject({ set: "s1", taskCount: 2, repeatedRequest: false });
    expect(
      (
        await tasks().submitTasks({
          set: "s1",
          displayName: "Demo",
          tasks: [spec("a"), spec("b", ["a"])],
          requestId: "r-1",
        })
      ).repeatedRequest,
    ).toBe(true);
    await expect(tasks().submitTasks({ set: "s1", tasks: [spec("c")], requestId: "r-1" })).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });

    expect((await ready().listReadyTasks({})).tasks.map(({ task, attempt, pools }) => [task, attempt, pools])).toEqual([
      ["s1/a", 1, ["default"]],
    ]);
    const { runs } = await ready().listRuns({ tasks: ["s1/a", "s1/none"] });
    expect(runs.map(({ task, run }) => [task, run?.kind?.$case])).toEqual([["s1/a", "command"]]);

    await logs().appendLogs({
      chunks: [{ task: "s1/a", attempt: 1, offset: 0n, data: Buffer.from("hello"), token: 7n }],
    });
    ledger.succeed("s1/a");
    await until("s1", "STATE_SUCCEEDED", 1);
    await close();
    await open();

    expect((await tasks().getTaskSet({ set: "s1" })).taskSet).toMatchObject({
      displayName: "Demo",
      taskCount: 2n,
      taskCounts: { SUCCEEDED: 1n, READY: 1n },
      done: false,
    });
    ledger.succeed("s1/b");
    await until("s1", "STATE_SUCCEEDED", 2);
    const { task } = await tasks().getTask({ task: "s1/a" });
    expect(task?.events.map(({ kind }) => kind)).toEqual([
      "TaskCreated",
      "TaskReady",
      "TaskAssigned",
      "RunnerStarted",
      "RunnerCompleted",
      "TaskSucceeded",
    ]);
    expect(task?.spec?.run?.kind).toMatchObject({ $case: "command", value: { argv: ["true"] } });
    expect(task?.attempts[0]?.outcome?.exitCode).toBe(0);
    expect((await tasks().getTaskSet({ set: "s1" })).taskSet).toMatchObject({
      done: true,
      taskCounts: { SUCCEEDED: 2n },
    });
    const first = await tasks().listTasks({ filter: { set: "s1" }, pageSize: 1 });
    const second = await tasks().listTasks({ filter: { set: "s1" }, pageSize: 1, pageToken: first.nextPageToken });
    expect([...first.tasks, ...second.tasks].map((each) => each.task)).toEqual(["s1/b", "s1/a"]);
    expect(second.nextPageToken).toBe("");
    expect((await logs().getLogs({ task: "s1/a" })).chunks.map(({ data }) => data.toString())).toEqual(["hello"]);
    const seen: string[] = [];
    for await (const { chunks } of logs().watchLogs({ task: "s1/a" }))
      seen.push(...chunks.map(({ data }) => data.toString()));
    expect(seen).toEqual(["hello"]);
    await vi.waitFor(() => expect(ledger.acknowledged.at(-1)).toBe(4), { timeout: 20_000 });
    expect((await tasks().listTaskSets({})).taskSets.map(({ set }) => set)).toEqual(["s1"]);
  });

  it("forbids the attempt of a cancelled task, and lets it begin anew", async () => {
    await tasks().submitTasks({ set: "s2", tasks: [spec("a"), spec("b", ["a"])] });
    expect(await tasks().cancelTasks({ filter: { tasks: ["s2/a"] }, reason: "not now" })).toMatchObject({
      cancelledCount: 1,
      finalCount: 0,
    });
    await until("s2", "STATE_CANCELLED", 1);
    await until("s2", "STATE_SKIPPED", 1);
    expect(ledger.forbidden).toEqual(["s2/a#1"]);
    expect(await tasks().retryTasks({ filter: { tasks: ["s2/a"] } })).toMatchObject({
      retriedCount: 2,
      ignoredCount: 0,
    });
    expect((await ready().listReadyTasks({})).tasks.map(({ task, attempt }) => [task, attempt])).toEqual([["s2/a", 2]]);
    ledger.succeed("s2/a", 2);
    ledger.succeed("s2/b", 1);
    await until("s2", "STATE_SUCCEEDED", 2);
  });

  it("gives what to run in answers of at most 2 MiB, the rest when it is asked again", async () => {
    const ids = Array.from({ length: 10 }, (_none, i) => `t${i}`);
    const heavy = (id: string) => ({ ...spec(id), run: { ...spec(id).run, stdin: Buffer.alloc(256 * 1024) } });
    await tasks().submitTasks({ set: "s4", tasks: ids.map(heavy) });
    const keys = ids.map((id) => `s4/${id}`);
    const first = (await ready().listRuns({ tasks: keys })).runs.map(({ task }) => task);
    expect(first).toEqual(keys.slice(0, 7));
    const rest = (await ready().listRuns({ tasks: keys.slice(7) })).runs.map(({ task }) => task);
    expect(rest).toEqual(keys.slice(7));
  });

  it("streams ready tasks, and which no longer are", async () => {
    await tasks().submitTasks({ set: "s3", tasks: [spec("a")] });
    const heard: string[] = [];
    for await (const { ready: some, gone, complete } of ready().watchReadyTasks({})) {
      heard.push(
        ...some.map(({ task, assigned }) => `${assigned ? "assigned" : "ready"} ${task}`),
        ...gone.map((task) => `gone ${task}`),
        ...(complete ? ["complete"] : []),
      );
      if (complete) ledger.say(pool.LeaseEvent_Kind.GRANTED, "s3/a", 1);
      if (heard.at(-1) === "assigned s3/a") ledger.say(pool.LeaseEvent_Kind.STARTED, "s3/a", 1);
      if (heard.at(-1) === "gone s3/a") break;
    }
    expect(heard).toEqual(["ready s3/a", "complete", "assigned s3/a", "gone s3/a"]);
  });

  it("refuses bad input in one error, and takes nothing when the disk is nearly full", async () => {
    await expect(
      tasks().submitTasks({ set: "../x", tasks: [spec("a", ["b"]), spec("b", ["a"])] }),
    ).rejects.toMatchObject({ reason: "INVALID_FIELD", message: expect.stringContaining("a -> b -> a") });
    await expect(tasks().getTask({ task: "s/none" })).rejects.toMatchObject({ reason: "NOT_FOUND" });
    await expect(tasks().cancelTasks({})).rejects.toMatchObject({ reason: "INVALID_FIELD" });
    await close();
    await open({ freeSpaceMin: Number.MAX_SAFE_INTEGER });
    await expect(tasks().submitTasks({ set: "s4", tasks: [spec("a")] })).rejects.toMatchObject({ reason: "NO_SPACE" });
    await expect(tasks().getTaskSet({ set: "s4" })).rejects.toMatchObject({ reason: "NOT_FOUND" });
  });

  it("serves its metrics", async () => {
    await tasks().submitTasks({ set: "s5", tasks: [spec("a")] });
    const text = await (await fetch(`http://127.0.0.1:${service.httpPort}/metrics`)).text();
    expect(text).toContain('berth_tasks{state="queued"} 1');
    expect(text).toContain('berth_task_transitions_total{to="queued"} 1');
  });
});
