import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bench, pool } from "./fixtures.js";
import { attemptKey, type Lease } from "./lease.js";
import { plainLimit } from "./limits.js";
import { Model, type Waiting } from "./testing/granting-model.js";
import {
  aBid,
  bids,
  completes,
  contending,
  everything,
  goesBack,
  plainChanges,
  returns,
  streamBreaks,
} from "./testing/granting-steps.js";

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
      handlers: runner === "r0" ? ["h"] : ["k"],
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
    "L3: overtakes no task in its place more than K = %s times, whatever its class, however many pools it takes, and however often it goes back to it",
    (overtakeLimit) => {
      const step = fc.oneof(
        { weight: 6, arbitrary: bids(fc.oneof(contending, aBid)) },
        { weight: 6, arbitrary: completes },
        { weight: 3, arbitrary: goesBack },
        { weight: 3, arbitrary: returns },
        { weight: 1, arbitrary: streamBreaks },
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
