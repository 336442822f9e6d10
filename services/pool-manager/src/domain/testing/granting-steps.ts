import fc from "fast-check";
import { expect } from "vitest";
import type { Bid } from "../bid.js";
import { type Bench, bid, known, succeeded } from "../fixtures.js";
import { attemptKey, type Outcome } from "../lease.js";
import { plainLimit } from "../limits.js";
import type { Model } from "./granting-model.js";

/** Something that happens to both. */
export type Step = (bench: Bench, model: Model) => void;

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
  handler: fc.constantFrom("", "", "", "h", "k"),
  tenant: fc.constantFrom("", "t", "u"),
  runner: fc.constantFrom("", "", "", "", "r1"),
  priority: fc.constantFrom(0, 0, 9),
  cpuMillis: fc.constantFrom(0, 1, 3),
  memoryBytes: fc.constantFrom(0, 0, 2),
});
/** Any bid. */
export const aBid = fc
  .record({
    task: fc.integer({ min: 0, max: 24 }),
    attempt: fc.constantFrom(1, 1, 1, 2),
    rank: fc.integer({ min: 0, max: 3 }),
    form: forms,
  })
  .map(({ task, attempt, rank, form }) => bid(`t${task}`, { attempt, rank, ...form }));
/** Few forms, so that classes have many bids, and of such as get into each other's way. */
export const contending = fc
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
      { pools: ["a", "b"], handler: "h" },
    ),
  })
  .map(({ task, rank, form }) => bid(`t${task}`, { rank, ...form }));
const runners = fc.constantFrom("r0", "r1", "r2");

const incarnation = (bench: Bench, runner: string): string =>
  bench.state.sessions.get(runner)?.record.incarnation ?? `${runner}-0`;

/** Places some bids. */
export const bids = (arbitrary: fc.Arbitrary<Bid>): fc.Arbitrary<Step> =>
  fc.array(arbitrary, { minLength: 1, maxLength: 5 }).map((placed) => (bench, model) => {
    const expected = placed.map((one) => model.place(one));
    const results = bench.bids(...placed);
    results.forEach(({ verdict }, i) => {
      const allowed = { held: ["GRANTED"], LOST: ["LOST"], INVALID: ["INVALID"], STANDING: ["STANDING", "GRANTED"] };
      expect(allowed[expected[i] ?? "held"]).toContain(verdict);
    });
  });
/** Completes a lease. */
export const completes: fc.Arbitrary<Step> = fc
  .record({
    i: fc.nat(20),
    result: fc.constantFrom<Outcome["result"]>("SUCCEEDED", "FAILED", "STOPPED", "NOT_STARTED"),
  })
  .map(({ i, result }) => (bench) => {
    const held = bench.held();
    const lease = held[i % Math.max(1, held.length)];
    if (lease) bench.complete(lease, { ...succeeded, result });
  });
/** A lease ends without having spent a retry: its task will bid again from the place that it had. */
export const goesBack: fc.Arbitrary<Step> = fc.nat(20).map((i) => (bench, model) => {
  const held = bench.held();
  const lease = held[i % Math.max(1, held.length)];
  const before = lease && model.granted.get(attemptKey(lease.task, lease.attempt));
  if (!before) return;
  bench.complete(lease, { ...succeeded, result: "STOPPED" });
  const again = { ...before.bid, attempt: lease.attempt + 1, overtaken: lease.overtaken ?? 0 };
  model.returning.push({ ...before, bid: again });
});
/** Those that go back bid again. */
export const returns: fc.Arbitrary<Step> = fc.constant((bench: Bench, model: Model) => {
  const returning = model.returning.splice(0);
  for (const { bid: one, overtaken } of returning) model.place(one, overtaken);
  if (returning.length > 0) bench.bids(...returning.map(({ bid: one }) => one));
});
/** The scheduler's stream breaks, and what stood is bid for anew. */
export const streamBreaks: fc.Arbitrary<Step> = fc.constant((bench: Bench, model: Model) => {
  const stood = model.inOrder;
  bench.do("withdrawSession", { session: "s" });
  for (const { bid: one } of stood) model.waiting.delete(attemptKey(one.task, one.attempt));
  for (const { bid: one, overtaken } of stood) model.place(one, overtaken);
  if (stood.length > 0) bench.bids(...stood.map(({ bid: one }) => one));
});
const attaches: fc.Arbitrary<Step> = fc
  .record({
    runner: runners,
    again: fc.boolean(),
    gpu: fc.boolean(),
    capacity: fc.integer({ min: 1, max: 4 }),
    pools: fc.constantFrom(["a", "b", "n"], ["a"], ["b", "n"]),
    handlers: fc.subarray(["h", "k"]),
  })
  .map(({ runner, again, gpu, capacity, pools, handlers }) => (bench) => {
    const number = Number(incarnation(bench, runner).split("-")[1]) + (again ? 0 : 1);
    bench.attach(runner, {
      capacity,
      pools: [...pools],
      incarnation: `${runner}-${number}`,
      labels: gpu ? { gpu: "yes" } : {},
      handlers,
    });
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
/** Changes a capacity. */
export const plainChanges: fc.Arbitrary<Step> = fc
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

/** Everything that can happen, with or without rates and reserves. */
export const everything = (rates: boolean): fc.Arbitrary<Step> =>
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
