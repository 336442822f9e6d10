import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bench, everything, exampleTask } from "./examples.js";
import { conditionOf, meets, type NeedCondition, type NeedConditions } from "./needs.js";
import type { FinalState } from "./task.js";

interface Planned {
  readonly id: string;
  readonly needs: readonly string[];
  readonly conditions: NeedConditions;
  /** How it ends if it runs. */
  readonly end: "SUCCEEDED" | "FAILED";
}

/** Needs only point backwards, so there is no cycle. */
const plans = fc
  .array(
    fc.record({
      needs: fc.uniqueArray(fc.tuple(fc.nat(6), fc.constantFrom<NeedCondition>("succeeded", "failed", "ended")), {
        maxLength: 3,
        selector: ([need]) => need,
      }),
      end: fc.constantFrom<Planned["end"]>("SUCCEEDED", "FAILED"),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((all) =>
    all.map(({ needs, end }, index): Planned => {
      const earlier = needs
        .filter(([need]) => need < index)
        .map(([need, condition]) => [`t${need}`, condition] as const);
      return { id: `t${index}`, needs: earlier.map(([id]) => id), conditions: Object.fromEntries(earlier), end };
    }),
  );

/** Runs whatever is ready until nothing is; the order follows from `choices`. */
function runAll(
  bench: Bench,
  planned: readonly Planned[],
  choices: readonly number[],
  endOf: (plan: Planned) => Planned["end"],
) {
  for (let step = 0; ; step++) {
    const ready = planned.filter(({ id }) => bench.task(id).status.state === "READY");
    const plan = ready[(choices[step % Math.max(1, choices.length)] ?? 0) % ready.length];
    if (plan === undefined) return;
    bench.run(plan.id, bench.task(plan.id).status.attempt, endOf(plan), { permanent: true });
  }
}

function submitted(planned: readonly Planned[]): Bench {
  const bench = new Bench();
  bench.submit(...planned.map(({ id, needs, conditions }) => exampleTask(id, needs, { needConditions: conditions })));
  return bench;
}

const endsOf = (bench: Bench, planned: readonly Planned[]) => planned.map(({ id }) => bench.task(id).status.state);
const met = ({ needs, conditions }: Planned, ends: ReadonlyMap<string, FinalState>) =>
  needs.every((need) => meets(ends.get(need) as FinalState, conditionOf(conditions, need)));

describe("a task runs exactly when every need has ended as it asked, and is skipped otherwise", () => {
  it("in whatever order the tasks end", () => {
    fc.assert(
      fc.property(plans, fc.array(fc.nat(7)), (planned, choices) => {
        const bench = submitted(planned);
        runAll(bench, planned, choices, ({ end }) => end);
        const expected = new Map<string, FinalState>();
        for (const plan of planned) expected.set(plan.id, met(plan, expected) ? plan.end : "SKIPPED");
        expect(endsOf(bench, planned)).toEqual([...expected.values()]);
      }),
    );
  });

  it("also when all is retried: what stays counts as it ended", () => {
    fc.assert(
      fc.property(plans, fc.array(fc.nat(7)), (planned, choices) => {
        const bench = submitted(planned);
        runAll(bench, planned, choices, ({ end }) => end);
        const before = new Map(planned.map(({ id }) => [id, bench.task(id).status.state as FinalState]));
        bench.do({
          kind: "retry",
          filter: everything,
          facts: {
            drops: bench.core.memory.leavers.drops,
            rows: [...bench.rows.values()].filter(({ status }) => status.state !== "SUCCEEDED"),
            sets: [{ set: "s", displayName: "", createMs: 1, counts: {}, endMs: 0 }],
          },
        });
        runAll(bench, planned, choices, () => "SUCCEEDED");
        const expected = new Map<string, FinalState>();
        const stays = new Set<string>();
        for (const plan of planned) {
          const end = before.get(plan.id) as FinalState;
          const impossible = plan.needs.some(
            (need) => stays.has(need) && !meets(before.get(need) as FinalState, conditionOf(plan.conditions, need)),
          );
          if (end === "SUCCEEDED" || impossible) stays.add(plan.id);
          expected.set(plan.id, stays.has(plan.id) ? end : met(plan, expected) ? "SUCCEEDED" : "SKIPPED");
        }
        expect(endsOf(bench, planned)).toEqual([...expected.values()]);
      }),
    );
  });
});

describe("a need with a condition", () => {
  const cleanUp = exampleTask("clean-up", ["test"], { needConditions: { test: "ended" } });
  const notify = exampleTask("notify", ["test"], { needConditions: { test: "failed" } });

  it("lets a clean-up run after a failure, a cancel and a skip", () => {
    const bench = new Bench();
    bench.submit(exampleTask("build"), exampleTask("test", ["build"]), cleanUp, notify);
    bench.run("build", 1, "FAILED", { permanent: true });
    expect([bench.at("test"), bench.at("clean-up"), bench.at("notify")]).toEqual(["SKIPPED/0", "READY/1", "SKIPPED/0"]);
    expect(bench.task("notify").status.reason).toBe("needs test to fail, but it was skipped");
  });

  it("counts for a task that is submitted after the needed one has ended", () => {
    const bench = new Bench();
    bench.submit(exampleTask("test"));
    bench.run("test", 1, "FAILED", { permanent: true });
    bench.submit(cleanUp, notify, exampleTask("deploy", ["test"]));
    expect([bench.at("clean-up"), bench.at("notify"), bench.at("deploy")]).toEqual(["READY/1", "READY/1", "SKIPPED/0"]);
  });

  it("is refused where the task doesn't need that one, and where it is none", () => {
    const odd = { needConditions: { other: "ended", test: "unknown" } } as const;
    const outcome = new Bench().submit(exampleTask("test"), exampleTask("t", ["test"], odd));
    expect(outcome).toMatchObject({
      kind: "invalid",
      violations: [
        { field: "tasks[1].need_conditions", description: expect.stringContaining("isn't among the task's needs") },
        { field: "tasks[1].need_conditions", description: expect.stringContaining("SUCCEEDED, FAILED and ENDED") },
      ],
    });
  });
});
