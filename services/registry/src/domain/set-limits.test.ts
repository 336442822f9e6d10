import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bench, everything, exampleCatalogue, exampleSubmission, exampleTask } from "./examples.js";
import { limitName, limitWork } from "./set-limits.js";
import type { SetLimit, SetRecord, Submission, TaskInput } from "./submission.js";

const limit = (name: string, capacity: number, more: Partial<SetLimit> = {}): SetLimit => ({
  name,
  capacity,
  reserve: 0,
  reservePriority: 0,
  rate: 0,
  ratePeriodMs: 1_000,
  ...more,
});

/** A bench that remembers what its set has declared, as rows would, with a pool-manager whose answers come when a test says so. */
class SetBench extends Bench {
  /** Limits that the pool-manager has. */
  readonly made = new Map<string, number>(Object.entries(exampleCatalogue.limits));

  record(): SetRecord | undefined {
    const changes = this.changes.flatMap((change) => (change.kind === "set" ? [change.record] : []));
    const counts: Record<string, number> = {};
    for (const { status } of this.rows.values()) counts[status.state] = (counts[status.state] ?? 0) + 1;
    const last = changes.at(-1);
    return last && { ...last, counts };
  }

  declare(tasks: readonly TaskInput[], more: Partial<Submission>) {
    const submission = exampleSubmission(tasks, more);
    return this.do({ kind: "submit", submission, facts: { ...this.facts(), set: this.record() } });
  }

  retryAll() {
    const rows = [...this.rows.values()].filter(({ header, status }) => {
      return !this.core.memory.tasks.has(header.key) && status.state !== "SUCCEEDED";
    });
    const record = this.record();
    const facts = { drops: this.core.memory.leavers.drops, rows, sets: record ? [record] : [] };
    return this.do({ kind: "retry", filter: { ...everything, set: "s" }, facts });
  }

  /** The pool-manager does what it is asked, all of it or only the first so many. */
  ask(count = Number.POSITIVE_INFINITY): void {
    const { make, drop } = limitWork(this.core.memory);
    const calls = [
      ...make.map(({ set, limit: { name, capacity } }) => () => {
        const full = limitName(set, name);
        if (!this.made.has(full)) this.made.set(full, capacity);
      }),
      ...drop.map((name) => () => void this.made.delete(name)),
    ];
    for (const call of calls.slice(0, count)) call();
  }

  /** The pool-manager's catalogue arrives. */
  hear(): void {
    this.do({ kind: "catalogue", catalogue: { ...exampleCatalogue, limits: Object.fromEntries(this.made) } });
  }

  ofSets(): string[] {
    return [...this.made.keys()].filter((name) => name.startsWith("set:")).sort();
  }

  live(): string[] {
    return [...this.core.memory.tasks.values()].map(({ header }) => header.id);
  }
}

const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("submit" as const),
      names: fc.uniqueArray(fc.constantFrom("gpu", "api:llm"), { maxLength: 2 }),
      whole: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("end" as const), result: fc.constantFrom("SUCCEEDED" as const, "FAILED" as const) }),
    fc.record({ kind: fc.constant("retry" as const) }),
    fc.record({ kind: fc.constant("ask" as const), count: fc.nat(2) }),
    fc.record({ kind: fc.constant("hear" as const) }),
  ),
  { maxLength: 25 },
);

describe("limits of a set's own", () => {
  it("are there while it lives and gone when it is done, whatever was lost or late, and nobody else's is touched", () =>
    fc.assert(
      fc.property(steps, (all) => {
        const bench = new SetBench();
        const declared = new Set<string>();
        all.forEach((step, n) => {
          if (step.kind === "submit") {
            const limits = step.names.map((name) => limit(name, 2));
            bench.declare([exampleTask(`t${n}`)], { limits, maxConcurrency: step.whole ? 3 : 0 });
            for (const name of step.names) declared.add(limitName("s", name));
            if (step.whole) declared.add(limitName("s", ""));
          } else if (step.kind === "end") {
            const id = bench.live()[0];
            const attempt = id === undefined ? 0 : bench.task(id).status.attempt;
            if (id !== undefined) bench.run(id, attempt, step.result, { permanent: true });
          } else if (step.kind === "retry") bench.retryAll();
          else if (step.kind === "ask") bench.ask(step.count);
          else bench.hear();
        });
        for (let round = 0; round < 2; round++) {
          bench.hear();
          bench.ask();
        }
        expect(bench.ofSets()).toEqual(bench.live().length > 0 ? [...declared].sort() : []);
        for (const [name, capacity] of Object.entries(exampleCatalogue.limits))
          expect(bench.made.get(name)).toBe(capacity);
        bench.hear();
        expect(limitWork(bench.core.memory)).toEqual({ make: [], drop: [] });
      }),
    ));

  it("are meant by tasks of a submission that declares them; any other name is the operator's", () => {
    const bench = new SetBench();
    const limits = { gpu: 2, "api:llm": 1 };
    bench.declare([exampleTask("a", [], { limits })], { limits: [limit("gpu", 2)], maxConcurrency: 3 });
    expect(bench.task("a").header.limits).toEqual({ "set:s:gpu": 2, "api:llm": 1, "set:s": 1 });
    bench.declare([exampleTask("b", [], { limits: { "api:llm": 1 } })], {});
    expect(bench.task("b").header.limits).toEqual({ "api:llm": 1, "set:s": 1 });
  });

  it("are remembered by a registry that starts anew", () => {
    const bench = new SetBench();
    bench.declare([exampleTask("a")], { limits: [limit("gpu", 2)] });
    const fresh = new SetBench();
    const sets = [bench.record() as SetRecord];
    fresh.core.memory.addSet(sets[0] as SetRecord);
    expect(limitWork(fresh.core.memory).make).toEqual([{ set: "s", limit: limit("gpu", 2) }]);
  });

  it.each<[string, Partial<Submission>, string]>([
    ["a capacity of 0", { limits: [limit("gpu", 0)] }, 'limits["gpu"].capacity: 0 is out of bounds'],
    ["a negative bound of the set", { maxConcurrency: -1 }, "max_concurrency: -1 is out of bounds"],
    ["no name", { limits: [limit("", 1)] }, 'limits[""]: "" isn\'t a name'],
    ["a name that would be too long", { limits: [limit("x".repeat(60), 1)] }, "isn't a name"],
    ["a name twice", { limits: [limit("gpu", 1), limit("gpu", 1)] }, 'limits["gpu"]: is declared twice'],
    ["a reserve above", { limits: [limit("gpu", 1, { reserve: 2 })] }, 'limits["gpu"].reserve: 2 is out of bounds'],
    ["a rate without a period", { limits: [limit("gpu", 1, { rate: 1, ratePeriodMs: 0 })] }, "0 s is out of bounds"],
    ["too many", { limits: Array.from({ length: 17 }, (_, n) => limit(`l${n}`, 1)) }, "17 limits: at most 16"],
    ["another capacity than the set has", { limits: [limit("there", 3)] }, 'limits["there"]: set s has it otherwise'],
  ])("are refused with the field, value and bound: %s", (_name, more, expected) => {
    const bench = new SetBench();
    bench.declare([exampleTask("first")], { limits: [limit("there", 2)] });
    const outcome = bench.declare([exampleTask("a")], more);
    if (outcome.kind !== "invalid") throw new Error(outcome.kind);
    expect(outcome.violations.map(({ field, description }) => `${field}: ${description}`).join("; ")).toContain(
      expected,
    );
  });

  it("bound the weights of their tasks, and can't be named by anybody else's", () => {
    const bench = new SetBench();
    const heavy = bench.declare([exampleTask("a", [], { limits: { gpu: 3 } })], { limits: [limit("gpu", 2)] });
    expect(heavy).toMatchObject({
      violations: [{ description: expect.stringContaining("weighs 3, limit gpu has 2") }],
    });
    const other = bench.declare([exampleTask("a", [], { limits: { "set:s2:gpu": 1 } })], {});
    expect(other).toMatchObject({ violations: [{ description: expect.stringContaining("can't be named by a task") }] });
  });
});
