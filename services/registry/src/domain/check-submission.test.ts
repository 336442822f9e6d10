import { describe, expect, it } from "vitest";
import { findCycle } from "./cycle.js";
import { Bench, exampleSubmission, exampleTask } from "./examples.js";
import type { Submission, TaskInput } from "./submission.js";

function found(tasks: readonly TaskInput[], more: Partial<Submission> = {}): string {
  const bench = new Bench();
  const outcome = bench.do({ kind: "submit", submission: exampleSubmission(tasks, more), facts: bench.facts() });
  expect(bench.core.memory.tasks.size).toBe(outcome.kind === "submitted" ? tasks.length : 0);
  return outcome.kind === "invalid"
    ? outcome.violations.map(({ field, description }) => `${field}: ${description}`).join("; ")
    : outcome.kind;
}

const run = exampleTask("x").run as NonNullable<TaskInput["run"]>;

describe("a submission is refused as a whole, naming field, value and bound", () => {
  it.each<[string, TaskInput[], string]>([
    ["a cycle", [exampleTask("a", ["b"]), exampleTask("b", ["c"]), exampleTask("c", ["a"])], "a -> b -> c -> a"],
    ["a task that needs itself", [exampleTask("a", ["a"])], "tasks[0].needs[0]: the task needs itself"],
    ["an unknown need", [exampleTask("a", ["zz"])], 'tasks[0].needs[0]: there is no task "zz"'],
    ["an id used twice", [exampleTask("a"), exampleTask("a")], 'tasks[1].id: "a" is the id of tasks[0] too'],
    ["a path in an id", [exampleTask("../a")], 'tasks[0].id: "../a" isn\'t a name'],
    [
      "an unknown pool",
      [exampleTask("a", [], { pool: "moon" })],
      'tasks[0].pool: there is no pool "moon": there are default, gpu',
    ],
    ["an unknown skill", [exampleTask("a", [], { skill: "fly" })], 'tasks[0].skill: no pool offers the skill "fly"'],
    ["an unknown limit", [exampleTask("a", [], { limits: { "api:x": 1 } })], "there is no limit api:x"],
    [
      "a weight above every capacity",
      [exampleTask("a", [], { limits: { "api:llm": 7 } })],
      "weighs 7, limit api:llm has 5 in all",
    ],
    ["a weight of 0", [exampleTask("a", [], { limits: { "api:llm": 0 } })], "0 is out of bounds"],
    [
      "a limit that is counted automatically",
      [exampleTask("a", [], { limits: { "pool:default": 1 } })],
      "is counted automatically",
    ],
    ["NaN", [exampleTask("a", [], { priority: Number.NaN })], "tasks[0].priority: NaN is out of bounds"],
    [
      "a NaN multiplier",
      [
        exampleTask("a", [], {
          retry: { maxAttempts: 0, backoffMs: undefined, multiplier: Number.NaN, maxBackoffMs: undefined },
        }),
      ],
      "tasks[0].retry.multiplier: NaN",
    ],
    ["a huge number", [exampleTask("a", [], { cpuMillis: 1e300 })], "tasks[0].cpu_millis: 1e+300 is out of bounds"],
    [
      "more cpu than the pool has",
      [exampleTask("a", [], { cpuMillis: 5_000 })],
      "5000 thousandths of a core are more than pool default has in all: 4000",
    ],
    ["no run", [exampleTask("a", [], { run: undefined })], "tasks[0].run: is missing"],
    ["argv and shell", [exampleTask("a", [], { run: { ...run, shell: "true" } })], "set exactly one of argv and shell"],
    ["a bad variable", [exampleTask("a", [], { run: { ...run, env: { "A-B": "" } } })], 'tasks[0].run.env["A-B"]'],
    [
      "a time-out of 0",
      [exampleTask("a", [], { run: { ...run, startToCloseMs: 0 } })],
      "start_to_close_timeout: 0 s is out of bounds",
    ],
    [
      "too many tasks",
      Array.from({ length: 10_001 }, (_, index) => exampleTask(`t${index}`)),
      "tasks: 10001 tasks in one submission: at most 10000 are taken; submit them in several calls",
    ],
    ["no tasks", [], "tasks: there are none"],
  ])("%s", (_name, tasks, expected) => {
    expect(found(tasks)).toContain(expected);
  });

  it("but a weight on a limit that is closed for now may wait", () => {
    expect(found([exampleTask("a", [], { limits: { closed: 3 } })])).toBe("submitted");
  });
});

describe("the walk that names a cycle", () => {
  it("leaves out what only leads to it, and copes with a long one", () => {
    const needs = new Map([
      ["x", ["a"]],
      ["a", ["b"]],
      ["b", ["a"]],
      ["free", []],
    ]);
    expect(findCycle(needs)).toEqual(["a", "b", "a"]);
    const long = new Map(Array.from({ length: 50_000 }, (_, index) => [`${index}`, [`${(index + 1) % 50_000}`]]));
    expect(findCycle(long)?.length).toBe(50_001);
  });
});
