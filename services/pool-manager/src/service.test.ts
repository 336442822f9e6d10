import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InProcessBus } from "@berth/chassis/bus";
import { systemClock } from "@berth/chassis/clock";
import { type Channel, createChannel, createClient, PushStream } from "@berth/chassis/grpc";
import { createLogger, silentLogger } from "@berth/chassis/log";
import { pool, runner } from "@berth/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { poolManagerConfig } from "./config.js";
import { createPoolManager, type PoolManager } from "./service.js";

const folder = { path: "" };
const logged = { lines: [] as string[] };
let service: PoolManager;
let channel: Channel;

async function open(): Promise<void> {
  const config = poolManagerConfig.parse({
    port: 0,
    httpPort: 0,
    dataFolder: folder.path,
    globalCapacity: 3,
    pools: { a: { maxConcurrency: 2 } },
    limits: { x: 1 },
    auditMs: 3_600_000,
  });
  service = createPoolManager({
    config,
    clock: systemClock,
    logger: createLogger({
      service: "test",
      level: "error",
      destination: { write: (line) => logged.lines.push(line) },
    }),
    bus: new InProcessBus({ clock: systemClock, logger: silentLogger }),
    dataId: "d",
    onFailed: (error) => {
      throw error;
    },
  });
  await service.start();
  channel = createChannel(`127.0.0.1:${service.ports.grpc}`);
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${service.ports.http}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${name} `))
      ?.split(" ")[1],
  );
}

async function close(): Promise<void> {
  channel.close();
  await service.stop();
}

beforeEach(async () => {
  folder.path = mkdtempSync(join(tmpdir(), "berth-pool-"));
  await open();
});
afterEach(async () => {
  await close();
  rmSync(folder.path, { recursive: true });
});

const pools = () => createClient(pool.PoolServiceDefinition, channel);
const bids = () => createClient(pool.BidServiceDefinition, channel);
const ledger = () => createClient(pool.LeaseLedgerServiceDefinition, channel);
const leases = () => createClient(runner.LeaseServiceDefinition, channel);
/** What the request stream of a client's method takes. */
type Sent<Client extends () => object, Method extends keyof ReturnType<Client>> = ReturnType<Client>[Method] extends (
  requests: AsyncIterable<infer Item>,
  ...rest: never[]
) => unknown
  ? Item
  : never;
const attachment = { runner: "r", incarnation: "one", pools: ["a"], capacity: 5, earlierProcessesDead: true };
const completion = (lease: pool.Lease) => ({
  lease: lease.lease,
  token: lease.token,
  outcome: { result: runner.Outcome_Result.SUCCEEDED, exitCode: 0, endTime: new Date(5) },
});

async function placed(...tasks: string[]): Promise<pool.Lease[]> {
  const { results } = await bids().placeBids({ bids: tasks.map((task) => ({ task, attempt: 1, pools: ["a"] })) });
  return results.flatMap(({ lease }) => (lease ? [lease] : []));
}

describe("the pool-manager over gRPC", () => {
  it("grants, refuses with reasons, releases, and tells each of it as events", async () => {
    const attached = await leases().attachRunner(attachment);
    expect(Number(attached.runnerTtl?.seconds)).toBeGreaterThan(50);
    const granted = await placed("s/1", "s/2");
    expect(granted.map(({ slot, token }) => [slot, token])).toEqual([
      ["r/1", 1n],
      ["r/2", 2n],
    ]);
    const { admitted, refusals } = await pools().checkAdmission({ bid: { pools: ["a"] } });
    expect(admitted).toBe(false);
    expect(refusals).toMatchObject([
      {
        reason: pool.Refusal_Reason.LIMIT_FULL,
        limit: "pool:a",
        used: 2n,
        capacity: 2n,
        holders: [{ task: "s/1" }, { task: "s/2" }],
      },
    ]);
    const { results } = await leases().completeLeases({ ...attachment, completions: granted.map(completion) });
    expect(results.map(({ verdict }) => verdict)).toEqual([
      runner.CompletionResult_Verdict.APPLIED,
      runner.CompletionResult_Verdict.APPLIED,
    ]);
    const { events, nextPosition } = await ledger().listLeaseEvents({});
    expect(events.map(({ kind }) => kind.slice(5))).toEqual(["GRANTED", "GRANTED", "RELEASED", "RELEASED"]);
    expect((await ledger().listLeaseEvents({ afterPosition: nextPosition })).events).toEqual([]);
    expect(await pools().getStatus({})).toMatchObject({
      runningCount: 0n,
      grantedTotal: 2n,
      releasedTotal: 2n,
      drift: 0n,
    });
  });

  it("streams bids: a grant arrives when a release makes room", async () => {
    await leases().attachRunner(attachment);
    const [first] = await placed("s/1", "s/2");
    const requests = new PushStream<Sent<typeof bids, "streamBids">>();
    const answers = bids().streamBids(requests)[Symbol.asyncIterator]();
    requests.push({
      bids: [
        { task: "s/3", attempt: 1, pools: ["a"] },
        { task: "s/4", attempt: 1, pools: ["a"] },
        { task: "", attempt: 1 },
      ],
    });
    expect((await answers.next()).value?.results).toMatchObject([{ verdict: pool.BidResult_Verdict.INVALID }]);
    await leases().completeLeases({ ...attachment, completions: [completion(first as pool.Lease)] });
    expect((await answers.next()).value?.results).toMatchObject([
      { task: "s/3", verdict: pool.BidResult_Verdict.GRANTED, lease: { slot: "r/1" } },
    ]);
    requests.push({
      withdrawals: [
        { task: "s/4", attempt: 1 },
        { task: "s/3", attempt: 1 },
      ],
    });
    expect((await answers.next()).value?.results).toMatchObject([
      { verdict: pool.BidResult_Verdict.WITHDRAWN },
      { verdict: pool.BidResult_Verdict.GRANTED },
    ]);
    requests.end();
  });

  it("carries a runner's calls on one stream, and brings revocations by itself", async () => {
    const requests = new PushStream<Sent<typeof leases, "streamLeases">>();
    const answers = leases().streamLeases(requests)[Symbol.asyncIterator]();
    const next = async () => (await answers.next()).value?.kind;
    requests.push({ kind: { $case: "attach", value: attachment } });
    expect(await next()).toMatchObject({ $case: "attach" });
    const [lease] = await placed("s/1");
    expect(
      (
        await ledger().forbidAttempts({
          attempts: [
            { task: "s/1", attempt: 1 },
            { task: "s/9", attempt: 1 },
          ],
          reason: "cancelled",
        })
      ).results.map(({ found }) => found),
    ).toEqual([pool.ForbidResult_Found.REVOKING, pool.ForbidResult_Found.NO_LEASE]);
    expect(await next()).toMatchObject({
      $case: "revocations",
      value: { revocations: [{ lease: lease?.lease, reason: "cancelled" }] },
    });
    requests.push({ kind: { $case: "renew", value: { ...attachment, renewal: 7n } } });
    expect(await next()).toMatchObject({
      $case: "renew",
      value: { renewal: 7n, revocations: [{ lease: lease?.lease }] },
    });
    requests.push({
      kind: { $case: "complete", value: { ...attachment, completions: [completion(lease as pool.Lease)] } },
    });
    expect(await next()).toMatchObject({
      $case: "complete",
      value: { results: [{ verdict: runner.CompletionResult_Verdict.APPLIED }] },
    });
    requests.push({ kind: { $case: "detach", value: attachment } });
    expect(await next()).toMatchObject({ $case: "detach" });
    expect(await answers.next()).toMatchObject({ done: true });
  });

  it("knows after a restart what it knew before", async () => {
    await leases().attachRunner(attachment);
    const [done, running] = await placed("s/1", "s/2");
    await leases().completeLeases({ ...attachment, completions: [completion(done as pool.Lease)] });
    await pools().updateLimit({
      limit: { limit: "global", capacity: 7n, reason: "more" },
      updateMask: ["capacity", "reason"],
    });
    await ledger().forbidAttempts({ attempts: [{ task: "s/8", attempt: 1 }] });
    await close();
    await open();
    const { results } = await bids().placeBids({
      bids: ["s/1", "s/2", "s/8", "s/3"].map((task) => ({ task, attempt: 1, pools: ["a"] })),
    });
    expect(results.map(({ verdict, lease }) => [verdict.slice(8), lease?.token])).toEqual([
      ["LOST", undefined],
      ["GRANTED", running?.token],
      ["LOST", undefined],
      ["GRANTED", 3n],
    ]);
    expect((await pools().getLimit({ limit: "global" })).limit).toMatchObject({ capacity: 7n, used: 2n });
    expect((await pools().listLimitChanges({ limit: "global" })).changes).toMatchObject([
      { oldCapacity: 3n, newCapacity: 7n, reason: "more" },
      { newCapacity: 3n },
    ]);
    expect((await pools().listAssignments({ pageSize: 2 })).leases.map(({ task }) => task)).toEqual(["s/3", "s/2"]);
    const again = await leases().completeLeases({ ...attachment, completions: [completion(done as pool.Lease)] });
    expect(again.results).toMatchObject([{ verdict: runner.CompletionResult_Verdict.REPEATED }]);
    expect(await service.engine.audit()).toBe(0);
  });

  it("lists no runner that has detached, and no limit of it, after a restart either", async () => {
    await leases().attachRunner(attachment);
    expect((await pools().getStatus({})).runners).toHaveLength(1);
    await leases().detachRunner(attachment);
    const runners = async () => {
      const { runners, limits } = await pools().getStatus({});
      return [...runners.map((each) => each.runner), ...limits.filter(({ limit }) => limit.startsWith("runner:"))];
    };
    expect(await runners()).toEqual([]);
    await close();
    await open();
    expect(await runners()).toEqual([]);
    await leases().attachRunner({ ...attachment, incarnation: "another" });
    expect((await pools().getStatus({})).runners).toMatchObject([{ state: pool.Runner_State.LIVE }]);
  });

  it("sees a corrupted index: status, metrics, log and refusals say so, and nothing is granted any more", async () => {
    await leases().attachRunner(attachment);
    const [lease] = await placed("s/1");
    // As long as nothing is wrong, an audit changes nothing.
    expect(await service.engine.audit()).toBe(0);
    expect(await pools().getStatus({})).toMatchObject({ drift: 0n, grantingStopped: false, stopReason: "" });
    expect(await metric("berth_pool_manager_count_drift")).toBe(0);
    const use = service.engine.core.state.ledger.use("global");
    if (use) use.used -= 1;

    expect(await service.engine.audit()).toBe(1);
    const status = await pools().getStatus({});
    expect(status).toMatchObject({ drift: 1n, grantingStopped: true });
    expect(status.stopReason).toMatch(/difference of 1 between the counts and the rows: restart/);
    expect(await metric("berth_pool_manager_count_drift")).toBe(1);
    expect(await metric("berth_granting_stopped")).toBe(1);
    expect(logged.lines.join("\n")).toMatch(/"drift":1.*the counts in memory differ from the rows/);
    const { results } = await bids().placeBids({ bids: [{ task: "s/2", attempt: 1, pools: ["a"] }] });
    expect(results[0]).toMatchObject({ verdict: pool.BidResult_Verdict.REFUSED });
    expect(results[0]?.refusals[0]?.reason).toBe(pool.Refusal_Reason.GRANTING_STOPPED);

    // Releases go on, nothing that they free is granted, and the difference isn't forgotten when it happens to be 0 again.
    await leases().completeLeases({ ...attachment, completions: [completion(lease as pool.Lease)] });
    if (use) use.used += 1;
    await service.engine.audit();
    expect(await pools().getStatus({})).toMatchObject({ drift: 1n, grantingStopped: true, runningCount: 0n });

    // A restart rebuilds the counts from the rows.
    await close();
    await open();
    await leases().attachRunner({ ...attachment, incarnation: "two" });
    expect(await placed("s/2")).toHaveLength(1);
    expect(await metric("berth_pool_manager_count_drift")).toBe(0);
  });

  it("watches events from the journal on, then live", async () => {
    await leases().attachRunner(attachment);
    const [lease] = await placed("s/1");
    const watch = ledger().watchLeaseEvents({})[Symbol.asyncIterator]();
    expect((await watch.next()).value?.events).toMatchObject([{ kind: pool.LeaseEvent_Kind.GRANTED }]);
    await leases().completeLeases({ ...attachment, completions: [completion(lease as pool.Lease)] });
    const { value } = await watch.next();
    expect(value?.events).toMatchObject([{ kind: pool.LeaseEvent_Kind.RELEASED, lease: { outcome: { exitCode: 0 } } }]);
    await ledger().acknowledgeLeaseEvents({ position: value?.nextPosition ?? 0n });
    await watch.return?.();
  });

  it("shows the same counts in one scrape as in the status", async () => {
    await leases().attachRunner(attachment);
    await placed("s/1", "s/2");
    const text = await (await fetch(`http://127.0.0.1:${service.ports.http}/metrics`)).text();
    expect(text).toContain('berth_pool_manager_limit_used{limit="global"} 2');
    expect(text).toContain('berth_pool_manager_leases{pool="a"} 2');
    expect(text).toContain("berth_pool_manager_count_drift 0");
    for (const reason of ["COMPLETED", "NOT_STARTED", "EXPIRED", "RUNNER_LOST", "REVOKED"])
      expect(text, "a reason that hasn't come yet").toContain(`berth_releases_total{reason="${reason}"} 0`);
  });

  it("names field, value and bound of a bad request", async () => {
    await expect(pools().createLimit({ limit: { limit: "../x", capacity: -1n } })).rejects.toThrow(
      /limit\.limit: .*limit\.capacity: -1 is out of bounds/s,
    );
    await expect(pools().createLimit({ limit: { limit: "pool:z", capacity: 1n } })).rejects.toThrow(
      /exists automatically/,
    );
    await expect(pools().updateLimit({ limit: { limit: "x", capacity: 2n, etag: "0" } })).rejects.toThrow(/etag/);
    await expect(pools().listPools({ pageToken: "nonsense" })).rejects.toThrow(/page_token/);
  });
});
