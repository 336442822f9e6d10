import { describe, expect, it } from "vitest";
import { bugs } from "./bugs.js";
import { Incidents } from "./incidents.js";
import { invariants } from "./observer.js";
import { regressions } from "./seeds.js";
import { type Result, simulate } from "./simulate.js";

const seeds = 100;

/** What a failure says: the invariant, how to see it again, and the end of the trace. */
function story({ seed, violation, trace }: Result): string {
  return `${violation?.message}\nreplay: npm run test:simulation -- --seeds 1 --from ${seed} --trace\n${trace.slice(-60).join("\n")}`;
}

describe("the pool-manager under faults", () => {
  it(`keeps S1 to S9 and comes to rest in seeds 1 to ${seeds}`, async () => {
    const incidents = new Incidents();
    const sums = { carried: 0, runs: 0, late: 0, expired: 0, killed: 0, epochs: 0 };
    for (let seed = 1; seed <= seeds; seed++) {
      const result = await simulate(seed);
      if (result.violation) expect.fail(`seed ${seed}: ${story(result)}`);
      incidents.addAll(result.incidents);
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += result.figures[name];
    }
    // A simulation in which nothing happens would pass too.
    expect(sums.runs).toBeGreaterThan(seeds * 5);
    expect(sums.epochs).toBeGreaterThan(seeds);
    expect(incidents.missing).toEqual([]);
    expect(Math.min(sums.carried, sums.late, sums.expired, sums.killed)).toBeGreaterThan(0);
  });

  it("does the same again for the same seed", async () => {
    for (const seed of [3, 17, 42]) {
      const [first, second] = [await simulate(seed), await simulate(seed)];
      expect([second.hash, second.steps]).toEqual([first.hash, first.steps]);
      expect((await simulate(seed + 1)).hash).not.toBe(first.hash);
    }
  });

  it.each(regressions)("seed $seed: $found", async ({ seed }) => {
    const result = await simulate(seed);
    if (result.violation) expect.fail(story(result));
  });
});

describe("a planted bug", () => {
  it.each(bugs)("$name is found: $text", async (bug) => {
    for (let seed = 1; seed <= bug.within; seed++) {
      const { violation } = await simulate(seed, bug);
      if (!violation) continue;
      expect([bug.foundBy, ...(bug.or ?? [])]).toContain(violation.invariant);
      if (violation.invariant === bug.foundBy) return;
    }
    expect.fail(`not found by ${bug.foundBy} in ${bug.within} seeds`);
  });

  it("is there for every oracle, so that each is seen to be able to fail", () => {
    expect(new Set(bugs.map(({ foundBy }) => foundBy))).toEqual(new Set(invariants));
  });
});
