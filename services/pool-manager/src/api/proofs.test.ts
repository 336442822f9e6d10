import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InProcessBus } from "@berth/chassis/bus";
import { systemClock } from "@berth/chassis/clock";
import { type Channel, createChannel, createClient } from "@berth/chassis/grpc";
import { silentLogger } from "@berth/chassis/log";
import { event, pool, proofOf, runner, subjects } from "@berth/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { poolManagerConfig } from "../config.js";
import { createPoolManager, type PoolManager } from "../service.js";

const token = "the token";
const attachment = { runner: "r", incarnation: "one", pools: ["a"], capacity: 9, earlierProcessesDead: true };
const outcome = runner.Outcome.fromPartial({ result: runner.Outcome_Result.SUCCEEDED, endTime: new Date(5) });
let folder: string;
let bus: InProcessBus;
let service: PoolManager;
let channel: Channel;

async function open(): Promise<void> {
  bus = new InProcessBus({ clock: systemClock, logger: silentLogger });
  service = createPoolManager({
    config: poolManagerConfig.parse({
      port: 0,
      httpPort: 0,
      dataFolder: folder,
      token,
      pools: { a: { maxConcurrency: 9 } },
    }),
    clock: systemClock,
    logger: silentLogger,
    bus,
    dataId: "d",
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
  await bus.close();
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-proofs-"));
  await open();
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true });
});

const clients = () => ({
  pools: createClient(pool.PoolServiceDefinition, channel, { token }),
  bids: createClient(pool.BidServiceDefinition, channel, { token }),
  ledger: createClient(pool.LeaseLedgerServiceDefinition, channel, { token }),
  leases: createClient(runner.LeaseServiceDefinition, channel, { token }),
});
const place = async (...tasks: string[]): Promise<pool.Lease[]> => {
  const { results } = await clients().bids.placeBids({
    bids: tasks.map((task) => ({ task, attempt: 1, pools: ["a"] })),
  });
  return results.map(({ lease }) => lease as pool.Lease);
};
const held = async (): Promise<string[]> =>
  (await clients().pools.listAssignments({})).leases
    .filter(({ state }) => state === pool.Lease_State.ACTIVE)
    .map(({ task }) => task)
    .sort();
const completed = ({ lease, token }: pool.Lease, proof: Uint8Array): runner.Completion => ({
  lease,
  token,
  outcome,
  traceParent: "",
  proof: Buffer.from(proof),
});
const proved = (lease: pool.Lease) => completed(lease, proofOf(lease.secret, { ...lease, outcome }));
const say = (...completions: runner.Completion[]) =>
  bus.publish(subjects.completion, event.CompletionBatch.fromPartial({ ...attachment, completions }));
const refused = async (entrance: string, reason: string): Promise<number> => {
  const text = await service.metrics.getSingleMetricAsString("berth_completions_refused_total");
  return Number(
    text
      .split("\n")
      .find((line) => line.includes(`entrance="${entrance}",reason="${reason}"`))
      ?.split(" ")[1],
  );
};

describe("what everybody may read or hear isn't enough to end a run", () => {
  it("a completion on the bus counts only with the proof of the lease's secret, and is counted where it lacks that", async () => {
    await clients().leases.attachRunner(attachment);
    const [a, b, c, d] = (await place("s/a", "s/b", "s/c", "s/d")) as [pool.Lease, pool.Lease, pool.Lease, pool.Lease];
    expect(await refused("bus", "missing-proof")).toBe(0);
    await say(completed(a, Buffer.alloc(0)));
    await say(completed(b, proved(a).proof));
    const otherOutcome = { ...outcome, result: runner.Outcome_Result.FAILED };
    await say({ ...proved(c), outcome: otherOutcome });
    await say(proved(d));
    await expect.poll(held).toEqual(["s/a", "s/b", "s/c"]);
    expect(await refused("bus", "missing-proof")).toBe(1);
    expect(await refused("bus", "wrong-proof")).toBe(2);
  });

  it("a call may come without a proof, because it brought the token; a wrong proof is stale", async () => {
    await clients().leases.attachRunner(attachment);
    const [a, b, c] = (await place("s/a", "s/b", "s/c")) as [pool.Lease, pool.Lease, pool.Lease];
    const completions = [completed(a, Buffer.alloc(0)), proved(b), { ...proved(b), lease: c.lease, token: c.token }];
    const { results } = await clients().leases.completeLeases({ ...attachment, completions });
    expect(results.map(({ verdict }) => verdict)).toEqual(["VERDICT_APPLIED", "VERDICT_APPLIED", "VERDICT_STALE"]);
    expect(await held()).toEqual(["s/c"]);
    expect(await refused("call", "wrong-proof")).toBe(1);
  });

  it("an inventory is held to the same: a wrong proof ends nothing as that outcome says", async () => {
    await clients().leases.attachRunner(attachment);
    const [a, b] = (await place("s/a", "s/b")) as [pool.Lease, pool.Lease];
    const report = (lease: pool.Lease, proof: Uint8Array) => ({
      ...completed(lease, proof),
      state: runner.LeaseReport_State.ENDED,
    });
    const inventory = [report(a, proved(a).proof), report(b, proved(a).proof)];
    const { results } = await clients().leases.renewLeases({ ...attachment, renewal: 1n, inventory });
    expect(new Map(results.map(({ lease, verdict }) => [lease, verdict]))).toEqual(
      new Map([
        [a.lease, "VERDICT_APPLIED"],
        [b.lease, "VERDICT_STALE"],
      ]),
    );
  });
});

describe("the secret of a lease", () => {
  it("is told to who bids, again when the bid is repeated, also after a restart, and is another for each lease", async () => {
    await clients().leases.attachRunner(attachment);
    const [a, b] = (await place("s/a", "s/b")) as [pool.Lease, pool.Lease];
    expect(a.secret).toHaveLength(32);
    expect(b.secret).not.toEqual(a.secret);
    expect((await place("s/a"))[0]?.secret).toEqual(a.secret);
    await close();
    await open();
    expect((await place("s/a"))[0]?.secret).toEqual(a.secret);
  });

  it("is shown nowhere else, not even with the token", async () => {
    const heard: pool.LeaseEvent[] = [];
    await bus.subscribe(subjects.lease, "test", async (batches) => {
      heard.push(...batches.flatMap(({ events }) => events));
    });
    await clients().leases.attachRunner(attachment);
    await place("s/a");
    const { leases } = await clients().pools.listAssignments({});
    const { events } = await clients().ledger.listLeaseEvents({});
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    const shown = [...leases, ...[...events, ...heard].map(({ lease }) => lease)];
    expect(shown.length).toBeGreaterThan(2);
    for (const lease of shown) expect(lease?.secret).toHaveLength(0);
  });
});
