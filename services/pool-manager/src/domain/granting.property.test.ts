import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bid } from "./bid.js";
import type { Change, RunnerRecord } from "./changes.js";
import { Bench, bid, known, pool, succeeded } from "./fixtures.js";
import { attemptKey, type Lease, type Outcome } from "./lease.js";
import { type Limit, plainLimit } from "./limits.js";
import type { Pool } from "./pool.js";

/**
 * Granting against brute force. The model is told what was committed and which bids stand. Everything else it works out anew each time, from
 * the leases alone and by the words of the README: what refuses a bid, which bids are granted next, in which order, where. It shares
 * no index, class, or arithmetic with the core.
 */
interface Waiting {
  readonly bid: Bid;
  readonly arrival: number;
  overtaken: number;
}

/** What stands in the way in one pool: limits that are full, and whether waiting for them can help at all. */
interface Blocks {
  readonly full: readonly string[];
  readonly others: readonly ("hopeless" | "runners" | "slots")[];
}

interface Place {
  readonly pool: string;
  readonly runner: string;
  readonly slot: string;
}

const smallestFirst = (left: string, right: string): number => (left < right ? -1 : 1);

class Model {
  readonly waiting = new Map<string, Waiting>();
  readonly leases = new Map<string, Lease>();
  readonly over = new Set<string>();
  readonly forbidden = new Set<string>();
  readonly limits = new Map<string, Limit>();
  readonly pools = new Map<string, Pool>();
  readonly runners = new Map<string, RunnerRecord>();
  readonly starts: { readonly limit: string; readonly wallMs: number }[] = [];
  private arrivals = 0;
  private readonly bench: Bench;

  constructor(bench: Bench) {
    this.bench = bench;
    for (const change of bench.changes) this.take(change);
  }

  /** What placing a bid must lead to, before anything is granted. */
  place(one: Bid): "held" | "LOST" | "INVALID" | "STANDING" {
    const key = attemptKey(one.task, one.attempt);
    const held = [...this.leases.values()].find(({ task }) => task === one.task);
    if (held?.attempt === one.attempt) return "held";
    if (this.forbidden.has(key) || this.over.has(key)) return "LOST";
    const standing = [...this.waiting.values()].find(({ bid: { task } }) => task === one.task);
    if (held || (standing && standing.bid.attempt !== one.attempt)) return "INVALID";
    const same = standing && JSON.stringify({ ...standing.bid, rank: 0 }) === JSON.stringify({ ...one, rank: 0 });
    this.waiting.set(key, {
      bid: one,
      arrival: same ? standing.arrival : this.arrivals++,
      overtaken: same ? standing.overtaken : 0,
    });
    return "STANDING";
  }

  take(change: Change): void {
    if (change.k === "limit") put(this.limits, change.name, change.limit);
    else if (change.k === "pool") put(this.pools, change.name, change.pool);
    else if (change.k === "runner") put(this.runners, change.runner, change.record);
    else if (change.k === "tombstone") {
      this.forbidden.add(change.key);
      this.waiting.delete(change.key);
    } else if (change.k === "lease" && change.e !== "LATE_RESULT") {
      if (change.e === "RELEASED") {
        this.leases.delete(change.l.id);
        this.over.add(attemptKey(change.l.task, change.l.attempt));
      } else this.leases.set(change.l.id, change.l);
    }
  }

  used(limit: string): number {
    let sum = 0;
    for (const { weights } of this.leases.values())
      for (const [name, weight] of weights) if (name === limit) sum += weight;
    return sum;
  }

  /** Standing bids, the next to be looked at first. */
  get inOrder(): Waiting[] {
    return [...this.waiting.values()].sort((a, b) => a.bid.rank - b.bid.rank || a.arrival - b.arrival);
  }

  weights(one: Bid, name: string): Map<string, number> {
    const weights = new Map<string, number>();
    const add = (limit: string, weight: number): void => void weights.set(limit, (weights.get(limit) ?? 0) + weight);
    add("global", 1);
    if (one.tenant !== "") add(`tenant:${one.tenant}`, 1);
    for (const [limit, weight] of one.weights) add(limit, weight);
    add(`pool:${name}`, 1);
    if (one.cpuMillis > 0) add(`pool:${name}:cpu`, one.cpuMillis);
    if (one.memoryBytes > 0) add(`pool:${name}:memory`, one.memoryBytes);
    return weights;
  }

  /** What stands in the way of a bid in one pool; a place if nothing does. */
  look(one: Bid, name: string): Place | Blocks {
    const full: string[] = [];
    const others: Blocks["others"][number][] = [];
    const nowMs = 1_000_000 + this.bench.nowMs;
    for (const [limitName, weight] of this.weights(one, name)) {
      const limit = this.limits.get(limitName);
      if (!limit) {
        if (!/^tenant:|:cpu$|:memory$/.test(limitName)) others.push("hopeless");
        continue;
      }
      const after = this.used(limitName) + weight;
      const recent = this.starts.filter(
        (start) => start.limit === limitName && start.wallMs > nowMs - limit.ratePeriodMs,
      );
      if (weight > limit.capacity) others.push("hopeless");
      else if (after > limit.capacity) full.push(limitName);
      else if (one.priority < limit.reservePriority && after > limit.capacity - limit.reserve) others.push("hopeless");
      else if (limit.rate > 0 && recent.length >= limit.rate) others.push("hopeless");
    }
    if (this.pools.get(name)?.paused) others.push("hopeless");
    const fitting = [...this.runners.values()].filter(
      (record) =>
        !record.lost &&
        !record.draining &&
        this.bench.nowMs < (this.bench.state.sessions.get(record.runner)?.deadlineMs ?? 0) &&
        record.pools.includes(name) &&
        (one.runner === "" || one.runner === record.runner) &&
        Object.entries(one.labels).every(([key, value]) => record.labels[key] === value),
    );
    const load = ({ runner, capacity }: RunnerRecord): number =>
      [...this.leases.values()].filter((lease) => lease.runner === runner).length / capacity;
    const free = fitting.filter((record) => load(record) + 1 / record.capacity <= 1 + 1e-9);
    const [best] = free.sort((a, b) => load(a) - load(b) || smallestFirst(a.runner, b.runner));
    if (!best) others.push(fitting.length === 0 ? "hopeless" : "runners");
    const slot = best && this.slot(name, best);
    if (best && slot === undefined) others.push("slots");
    if (full.length > 0 || others.length > 0 || !best || slot === undefined) return { full, others };
    return { pool: name, runner: best.runner, slot };
  }

  private slot(name: string, { runner, capacity }: RunnerRecord): string | undefined {
    const named = this.pools.get(name)?.slots ?? [];
    const slots = named.length > 0 ? named : Array.from({ length: capacity }, (_, i) => `${runner}/${i + 1}`);
    const held = new Set([...this.leases.values()].map((lease) => lease.slot));
    return slots.find((slot) => !held.has(slot));
  }

  /** Where a bid would go now: the first of its pools in which nothing stands in the way. */
  placeOf(one: Bid): Place | undefined {
    for (const name of one.pools) {
      const found = this.look(one, name);
      if ("slot" in found) return found;
    }
    return undefined;
  }

  /** The next grant by brute force. */
  get next(): (Place & { task: string }) | undefined {
    for (const { bid: one } of this.inOrder) {
      const place = this.placeOf(one);
      if (place) return { task: one.task, ...place };
    }
    return undefined;
  }

  /** L3: counts a grant against everybody before it to whom, in one of its pools, nothing is missing but what the grant takes of. */
  overtake(granted: Waiting, lease: Lease): void {
    const taken = new Set(lease.weights.map(([limit]) => limit));
    for (const waiting of this.inOrder) {
      if (waiting === granted) return;
      const overtaken = waiting.bid.pools.some((name) => {
        const found = this.look(waiting.bid, name);
        return (
          "full" in found && found.others.length === 0 && found.full.length === 1 && taken.has(found.full[0] ?? "")
        );
      });
      if (overtaken) waiting.overtaken++;
    }
  }

  /** Takes a grant, after whatever has to be said of it. */
  grant(lease: Lease): void {
    const key = attemptKey(lease.task, lease.attempt);
    const wallMs = 1_000_000 + this.bench.nowMs;
    this.waiting.delete(key);
    this.leases.set(lease.id, lease);
    for (const [limit] of lease.weights)
      if ((this.limits.get(limit)?.rate ?? 0) > 0) this.starts.push({ limit, wallMs });
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

type Step = (bench: Bench, model: Model) => void;

const forms = fc.record({
  pools: fc.constantFrom(["a"], ["b"], ["a", "b"], ["n"], ["b", "n"]),
  weights: fc.constantFrom<Bid["weights"]>(
    [],
    [["x", 1]],
    [["x", 2]],
    [["x", 3]],
    [["y", 1]],
    [
      ["x", 2],
      ["y", 2],
    ],
    [
      ["x", 1],
      ["x", 1],
    ],
  ),
  labels: fc.constantFrom<Bid["labels"]>({}, {}, {}, { gpu: "yes" }),
  tenant: fc.constantFrom("", "t", "u"),
  runner: fc.constantFrom("", "", "", "", "r1"),
  priority: fc.constantFrom(0, 0, 9),
  cpuMillis: fc.constantFrom(0, 1, 3),
  memoryBytes: fc.constantFrom(0, 0, 2),
});
const aBid = fc
  .record({
    task: fc.integer({ min: 0, max: 24 }),
    attempt: fc.constantFrom(1, 1, 1, 2),
    rank: fc.integer({ min: 0, max: 3 }),
    form: forms,
  })
  .map(({ task, attempt, rank, form }) => bid(`t${task}`, { attempt, rank, ...form }));
/** Few forms, so that classes have many bids, and of such as get into each other's way. */
const contending = fc
  .record({
    task: fc.integer({ min: 0, max: 24 }),
    rank: fc.constantFrom(0, 0, 1),
    form: fc.constantFrom<Partial<Bid>>(
      { weights: [["x", 1]] },
      {
        weights: [
          ["x", 2],
          ["y", 1],
        ],
      },
      { weights: [["x", 3]] },
      { pools: ["b"], weights: [["y", 1]] },
      { pools: ["b"], cpuMillis: 3 },
      { pools: ["b"], cpuMillis: 1 },
      { pools: ["a", "b"], cpuMillis: 3, tenant: "t" },
      { pools: ["n"], labels: { gpu: "yes" } },
    ),
  })
  .map(({ task, rank, form }) => bid(`t${task}`, { rank, ...form }));
const runners = fc.constantFrom("r0", "r1", "r2");

const incarnation = (bench: Bench, runner: string): string =>
  bench.state.sessions.get(runner)?.record.incarnation ?? `${runner}-0`;

const bids = (arbitrary: fc.Arbitrary<Bid>): fc.Arbitrary<Step> =>
  fc.array(arbitrary, { minLength: 1, maxLength: 5 }).map((placed) => (bench, model) => {
    const expected = placed.map((one) => model.place(one));
    const results = bench.bids(...placed);
    results.forEach(({ verdict }, i) => {
      const allowed = { held: ["GRANTED"], LOST: ["LOST"], INVALID: ["INVALID"], STANDING: ["STANDING", "GRANTED"] };
      expect(allowed[expected[i] ?? "held"]).toContain(verdict);
    });
  });
const completes: fc.Arbitrary<Step> = fc
  .record({
    i: fc.nat(20),
    result: fc.constantFrom<Outcome["result"]>("SUCCEEDED", "FAILED", "STOPPED", "NOT_STARTED"),
  })
  .map(({ i, result }) => (bench) => {
    const held = bench.held();
    const lease = held[i % Math.max(1, held.length)];
    if (lease) bench.complete(lease, { ...succeeded, result });
  });
const attaches: fc.Arbitrary<Step> = fc
  .record({
    runner: runners,
    again: fc.boolean(),
    gpu: fc.boolean(),
    capacity: fc.integer({ min: 1, max: 4 }),
    pools: fc.constantFrom(["a", "b", "n"], ["a"], ["b", "n"]),
  })
  .map(({ runner, again, gpu, capacity, pools }) => (bench) => {
    const number = Number(incarnation(bench, runner).split("-")[1]) + (again ? 0 : 1);
    bench.attach(runner, { capacity, pools: [...pools], incarnation: `${runner}-${number}`, labels: gpu ? { gpu: "yes" } : {} });
  });
const renews: fc.Arbitrary<Step> = fc
  .record({ runner: runners, has: fc.boolean() })
  .map(({ runner, has }) => (bench) => {
    bench.renew(runner, incarnation(bench, runner), has ? bench.held() : []);
  });
const drains: fc.Arbitrary<Step> = fc
  .record({ runner: runners, draining: fc.boolean() })
  .map(({ runner, draining }) => (bench) => {
    bench.do("renew", { runner, incarnation: incarnation(bench, runner), inventory: [], draining, refused: [], known });
  });
const ticks: fc.Arbitrary<Step> = fc.integer({ min: 1, max: 240 }).map((ms) => (bench) => {
  bench.nowMs += ms;
  bench.do("tick", {});
});
const limitChanges: fc.Arbitrary<Step> = fc
  .record({
    name: fc.constantFrom("global", "x", "y", "tenant:t", "pool:a", "pool:b:cpu"),
    capacity: fc.integer({ min: 0, max: 6 }),
    reserve: fc.constantFrom(0, 0, 1),
    rate: fc.constantFrom(0, 0, 0, 1, 2),
  })
  .map(({ name, capacity, reserve, rate }) => (bench) => {
    const patch = { capacity, reserve: Math.min(reserve, capacity), reservePriority: 5, rate, ratePeriodMs: 300 };
    if (name === "tenant:t")
      bench.do("createLimit", { spec: { ...plainLimit(name, capacity), ...patch }, requestId: "" });
    bench.do("updateLimit", { name, patch, etag: "" });
  });
const plainChanges: fc.Arbitrary<Step> = fc
  .record({ name: fc.constantFrom("global", "x", "y", "pool:a"), capacity: fc.integer({ min: 0, max: 6 }) })
  .map(
    ({ name, capacity }) =>
      (bench) =>
        void bench.do("updateLimit", { name, patch: { capacity, rate: 0 }, etag: "" }),
  );
const deletes: fc.Arbitrary<Step> = fc
  .constantFrom("x", "y", "tenant:t")
  .map((name) => (bench) => void bench.do("deleteLimit", { name }));
const pauses: fc.Arbitrary<Step> = fc.record({ name: fc.constantFrom("a", "b", "n"), paused: fc.boolean() }).map(
  ({ name, paused }) =>
    (bench) =>
      void bench.do("updatePool", { name, patch: { paused }, etag: "" }),
);
const slots: fc.Arbitrary<Step> = fc
  .subarray(["s1", "s2", "s3"], { minLength: 1 })
  .map((named) => (bench) => void bench.do("updatePool", { name: "n", patch: { slots: named }, etag: "" }));
const forbids: fc.Arbitrary<Step> = fc
  .integer({ min: 0, max: 24 })
  .map((i) => (bench) => void bench.do("forbid", { attempts: [{ task: `t${i}`, attempt: 1 }], reason: "", known }));
const withdraws: fc.Arbitrary<Step> = fc.integer({ min: 0, max: 24 }).map((i) => (bench, model) => {
  bench.do("withdraw", { attempts: [{ task: `t${i}`, attempt: 1 }] });
  model.waiting.delete(attemptKey(`t${i}`, 1));
});

const everything = (rates: boolean): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 8, arbitrary: bids(aBid) },
    { weight: 6, arbitrary: completes },
    { weight: 3, arbitrary: attaches },
    { weight: 3, arbitrary: renews },
    { weight: 1, arbitrary: drains },
    { weight: 4, arbitrary: ticks },
    { weight: 3, arbitrary: rates ? limitChanges : plainChanges },
    { weight: 1, arbitrary: deletes },
    { weight: 1, arbitrary: pauses },
    { weight: 1, arbitrary: slots },
    { weight: 1, arbitrary: forbids },
    { weight: 1, arbitrary: withdraws },
  );

/** A fleet in which everything can be short. */
function begin(overtakeLimit: number): { bench: Bench; model: Model } {
  const bench = new Bench({ overtakeLimit, remembered: 1_000, ttlMs: 1_000 }, { global: 6, a: 3, b: 3 });
  bench.do("createLimit", { spec: plainLimit("y", 2), requestId: "" });
  bench.do("createPool", { spec: { ...pool("n", 4), slots: ["s1", "s2"], cpuMillis: 4 }, requestId: "" });
  bench.do("updatePool", { name: "b", patch: { cpuMillis: 4, memoryBytes: 3 }, etag: "" });
  for (const runner of ["r0", "r1"])
    bench.attach(runner, {
      capacity: 3,
      pools: ["a", "b", "n"],
      incarnation: `${runner}-1`,
      labels: runner === "r0" ? { gpu: "yes" } : {},
    });
  return { bench, model: new Model(bench) };
}

/** Takes what a step changed, one change after the other; `onGrant` sees each grant before it is taken. */
function follow(bench: Bench, model: Model, from: number, onGrant: (waiting: Waiting, lease: Lease) => void): void {
  for (const change of bench.changes.slice(from)) {
    if (change.k !== "lease" || change.e !== "GRANTED") {
      model.take(change);
      continue;
    }
    const waiting = model.waiting.get(attemptKey(change.l.task, change.l.attempt));
    expect(waiting, `${change.l.task} was granted without a bid`).toBeDefined();
    onGrant(waiting as Waiting, change.l);
    model.grant(change.l);
  }
}

const placeOf = ({ task, pool: name, runner, slot }: Lease) => ({ task, pool: name, runner, slot });

describe("granting, against brute force", () => {
  it("grants exactly what a look at every bid in order would, in that order, to that runner and slot", () => {
    fc.assert(
      fc.property(fc.array(everything(false), { maxLength: 60 }), (steps) => {
        const { bench, model } = begin(1_000_000);
        for (const step of steps) {
          const from = bench.changes.length;
          step(bench, model);
          follow(bench, model, from, (_, lease) => expect(placeOf(lease)).toEqual(model.next));
          if (bench.state.stopReason === "") expect(model.next, "still grantable").toBeUndefined();
        }
      }),
      { numRuns: 500 },
    );
  });

  it("with rates and reserves never grants what a limit refuses, and after a tick leaves nothing that could be granted", () => {
    fc.assert(
      fc.property(fc.array(everything(true), { maxLength: 60 }), (steps) => {
        const { bench, model } = begin(1_000_000);
        for (const step of steps) {
          const from = bench.changes.length;
          step(bench, model);
          bench.do("tick", {});
          follow(bench, model, from, (waiting, lease) =>
            expect("slot" in model.look(waiting.bid, lease.pool)).toBe(true),
          );
          if (bench.state.stopReason === "") expect(model.next, "still grantable").toBeUndefined();
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([1, 3])(
    "L3: overtakes no bid more than K = %s times, whatever its class and however many pools it takes",
    (overtakeLimit) => {
      const step = fc.oneof(
        { weight: 6, arbitrary: bids(fc.oneof(contending, aBid)) },
        { weight: 8, arbitrary: completes },
        { weight: 1, arbitrary: plainChanges },
      );
      fc.assert(
        fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
          const { bench, model } = begin(overtakeLimit);
          for (const one of steps) {
            const from = bench.changes.length;
            one(bench, model);
            follow(bench, model, from, (waiting, lease) => {
              model.overtake(waiting, lease);
              for (const {
                bid: { task },
                overtaken,
              } of model.waiting.values())
                expect(overtaken, `${task} is overtaken by ${lease.task}`).toBeLessThanOrEqual(overtakeLimit);
            });
          }
        }),
        { numRuns: 250 },
      );
    },
  );
});
