import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bid } from "./bid.js";
import type { Change } from "./changes.js";
import { PoolCore } from "./core.js";
import { Bench, bid, known, settings, succeeded } from "./fixtures.js";
import { attemptKey, type Lease, type Outcome } from "./lease.js";
import { type Limit, sumWeights } from "./limits.js";

type Step = (bench: Bench, model: Model) => void;

class Model {
  readonly occupying = new Map<string, Lease>();
  readonly released = new Set<string>();
  readonly attempts = new Set<string>();
  lastToken = 0;
  incarnations = new Map<string, number>();

  take(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.k !== "lease") continue;
      const { l: lease, e: event } = change;
      if (event === "GRANTED") {
        expect(lease.token, "S3: tokens grow").toBeGreaterThan(this.lastToken);
        this.lastToken = lease.token;
        const key = attemptKey(lease.task, lease.attempt);
        expect(this.attempts.has(key), "an attempt never gets a second lease").toBe(false);
        this.attempts.add(key);
      }
      if (event === "RELEASED") {
        expect(this.released.has(lease.id), "S5: released once").toBe(false);
        this.released.add(lease.id);
        this.occupying.delete(lease.id);
      } else if (event !== "LATE_RESULT") {
        expect(this.released.has(lease.id), "released is the end").toBe(false);
        this.occupying.set(lease.id, lease);
      }
    }
  }
}

function check(bench: Bench, model: Model, changes: readonly Change[]): void {
  model.take(changes);
  const { state } = bench;
  const leases = [...model.occupying.values()];
  const sums = sumWeights(leases);
  expect(new Map([...sums].sort()), "the index is the sum of the leases").toEqual(
    new Map([...state.ledger.counts()].sort()),
  );
  const capacityOf = (name: string): number =>
    state.limits.get(name)?.capacity ??
    state.sessions.get(name.slice("runner:".length))?.record.capacity ??
    Number.POSITIVE_INFINITY;
  for (const change of changes) {
    if (change.k !== "lease" || change.e !== "GRANTED") continue;
    for (const [limit] of change.l.weights)
      expect(sums.get(limit) ?? 0, `S1: ${limit}`).toBeLessThanOrEqual(capacityOf(limit));
  }
  expect(new Set(leases.map(({ slot }) => slot)).size, "S4: one lease a slot").toBe(leases.length);
  expect(new Set(leases.map(({ task }) => task)).size, "S4: one lease a task").toBe(leases.length);
  expect(state.totals.granted, "S6").toBe(leases.length + state.totals.released);
  if (state.stopReason !== "" || state.standing.kept.size > 0) return;
  for (const { bid: one } of state.standing.bids)
    expect(grantable(bench, one, sums), `${one.task} could be granted`).toBe(false);
}

/** Whether a bid could be granted, by counting everything anew. */
function grantable({ state, nowMs }: Bench, one: Bid, sums: ReadonlyMap<string, number>): boolean {
  const room = (limit: Limit | undefined, name: string, weight: number): boolean =>
    limit !== undefined && (sums.get(name) ?? 0) + weight <= limit.capacity;
  const named = new Map<string, number>([["global", 1]]);
  for (const [limit, weight] of one.weights) named.set(limit, (named.get(limit) ?? 0) + weight);
  for (const [name, weight] of named) if (!room(state.limits.get(name), name, weight)) return false;
  return one.pools.some((name) => {
    if (state.pools.get(name)?.paused || !room(state.limits.get(`pool:${name}`), `pool:${name}`, 1)) return false;
    return [...state.sessions.values()].some(({ record, deadlineMs }) => {
      if (record.lost || record.draining || nowMs >= deadlineMs || !record.pools.includes(name)) return false;
      if (one.runner !== "" && one.runner !== record.runner) return false;
      if (!Object.entries(one.labels).every(([key, value]) => record.labels[key] === value)) return false;
      if (one.handler !== "" && !record.handlers?.includes(one.handler)) return false;
      return (sums.get(`runner:${record.runner}`) ?? 0) + 1 <= record.capacity;
    });
  });
}

const runners = fc.constantFrom("r0", "r1", "r2");
const tasks = fc.integer({ min: 0, max: 30 }).map((i) => `t${i}`);
const aBid: fc.Arbitrary<Bid> = fc
  .record({
    task: tasks,
    attempt: fc.integer({ min: 1, max: 3 }),
    rank: fc.integer({ min: 0, max: 4 }),
    pools: fc.constantFrom(["a"], ["b"], ["a", "b"]),
    weights: fc.constantFrom<Bid["weights"]>([], [["x", 1]], [["x", 3]], [["x", 2]]),
    labels: fc.constantFrom<Bid["labels"]>({}, {}, { gpu: "yes" }),
    handler: fc.constantFrom("", "", "h", "k"),
    runner: fc.constantFrom("", "", "", "r1"),
  })
  .map(({ task, ...more }) => bid(task, more));
const pickOne = (bench: Bench, i: number): Lease | undefined => bench.held()[i % Math.max(1, bench.held().length)];

const aStep: fc.Arbitrary<{ text: string; step: Step }> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(aBid, { minLength: 1, maxLength: 5 }).map((bids) => ({
      text: `bids ${JSON.stringify(bids.map(({ task, attempt, rank }) => [task, attempt, rank]))}`,
      step: (bench: Bench) => void bench.bids(...bids),
    })),
  },
  {
    weight: 1,
    arbitrary: aBid.map((one) => ({
      text: `place ${one.task}`,
      step: (bench: Bench) => void bench.do("placeBids", { bids: [one], known }),
    })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        runner: runners,
        again: fc.boolean(),
        gpu: fc.boolean(),
        capacity: fc.integer({ min: 1, max: 3 }),
        handlers: fc.subarray(["h", "k"]),
      })
      .map(({ runner, again, gpu, capacity, handlers }) => ({
        text: `attach ${runner} again=${again}`,
        step: (bench: Bench, model: Model) => {
          const incarnation = (model.incarnations.get(runner) ?? 0) + (again ? 0 : 1);
          model.incarnations.set(runner, incarnation);
          bench.attach(runner, {
            capacity,
            incarnation: `${runner}-${incarnation}`,
            labels: gpu ? { gpu: "yes" } : {},
            handlers,
          });
        },
      })),
  },
  {
    weight: 4,
    arbitrary: fc.record({ runner: runners, have: fc.boolean() }).map(({ runner, have }) => ({
      text: `renew ${runner}`,
      step: (bench: Bench, model: Model) =>
        void bench.renew(runner, `${runner}-${model.incarnations.get(runner) ?? 0}`, have ? bench.held() : []),
    })),
  },
  {
    weight: 6,
    arbitrary: fc
      .record({
        i: fc.nat(20),
        result: fc.constantFrom<Outcome["result"]>("SUCCEEDED", "STOPPED", "NOT_STARTED"),
        stale: fc.constantFrom(0, 0, 0, 1),
      })
      .map(({ i, result, stale }) => ({
        text: `complete ${i} ${result} ${stale}`,
        step: (bench: Bench) => {
          const lease = pickOne(bench, i);
          if (lease) bench.complete(lease, { ...succeeded, result }, { token: lease.token - stale });
        },
      })),
  },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 10, max: 250 }).map((ms) => ({
      text: `tick ${ms}`,
      step: (bench: Bench) => {
        bench.nowMs += ms;
        bench.do("tick", {});
      },
    })),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 10, max: 400 }).map((ms) => ({
      text: `wait ${ms}`,
      step: (bench: Bench) => {
        bench.nowMs += ms;
      },
    })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ name: fc.constantFrom("global", "x", "pool:a"), capacity: fc.integer({ min: 0, max: 6 }) })
      .map(({ name, capacity }) => ({
        text: `limit ${name} ${capacity}`,
        step: (bench: Bench) => void bench.do("updateLimit", { name, patch: { capacity }, etag: "" }),
      })),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map((paused) => ({
      text: `paused ${paused}`,
      step: (bench: Bench) => void bench.do("updatePool", { name: "b", patch: { paused }, etag: "" }),
    })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ task: tasks, attempt: fc.integer({ min: 1, max: 3 }) }).map((ref) => ({
      text: `forbid ${ref.task}`,
      step: (bench: Bench) => void bench.do("forbid", { attempts: [ref], reason: "", known }),
    })),
  },
  {
    weight: 1,
    arbitrary: tasks.map((task) => ({
      text: `withdraw ${task}`,
      step: (bench: Bench) => void bench.do("withdraw", { attempts: [{ task, attempt: 1 }] }),
    })),
  },
  {
    weight: 1,
    arbitrary: runners.map((runner) => ({
      text: `detach ${runner}`,
      step: (bench: Bench, model: Model) =>
        void bench.do("detach", { runner, incarnation: `${runner}-${model.incarnations.get(runner) ?? 0}` }),
    })),
  },
);
const steps = fc.array(
  aStep.map((one) => ({ ...one, toString: () => one.text })),
  { minLength: 1, maxLength: 80 },
);

describe("properties", () => {
  it.each([1_000_000, 2])(
    "whatever happens, S1, S3 to S6 hold after every command, and no grantable bid is left standing (K = %s)",
    (overtakeLimit) => {
      fc.assert(
        fc.property(steps, (sequence) => {
          const bench = new Bench({ overtakeLimit, remembered: 1_000 }, { global: 4, a: 3, b: 3 });
          const model = new Model();
          for (const { step } of sequence) {
            const from = bench.changes.length;
            step(bench, model);
            check(bench, model, bench.changes.slice(from));
          }
        }),
        { numRuns: 400 },
      );
    },
  );

  it("replaying the changes gives the same state, also when some are applied twice", () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (sequence, twice) => {
        const bench = new Bench();
        const model = new Model();
        for (const { step } of sequence) step(bench, model);
        const again = new PoolCore(settings);
        again.load([]);
        for (const change of bench.changes) again.apply(JSON.parse(JSON.stringify(change)));
        if (twice) for (const change of bench.changes) again.apply(JSON.parse(JSON.stringify(change)));
        again.decide({ kind: "mark" }, { monoMs: 0, wallMs: 0 });
        const picture = ({ state }: PoolCore) => ({
          leases: [...state.ledger.leases.values()].map(({ lease }) => lease).sort((p, q) => p.token - q.token),
          counts: [...state.ledger.counts()].sort(),
          limits: [...state.limits.values()].sort((p, q) => (p.name < q.name ? -1 : 1)),
          pools: [...state.pools.values()],
          tombstones: [...state.tombstones],
          records: [...state.sessions.values()]
            .map(({ record }) => record)
            .sort((p, q) => (p.runner < q.runner ? -1 : 1)),
          meta: state.figures,
        });
        expect(JSON.parse(JSON.stringify(picture(again)))).toEqual(JSON.parse(JSON.stringify(picture(bench.core))));
      }),
      { numRuns: 200 },
    );
  });
});
