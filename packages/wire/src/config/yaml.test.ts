import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError, type Problem, parseYaml } from "./index.js";

const schema = z.strictObject({
  name: z.string().regex(/^[a-z-]+$/, "must be small letters and dashes"),
  policy: z.enum(["fifo", "priority"]).default("priority"),
  pools: z
    .record(
      z.string().regex(/^[a-z]+$/, "is not a pool name"),
      z.strictObject({ maxConcurrency: z.int().min(0).max(100), ratio: z.number().optional() }),
    )
    .default({}),
  tasks: z
    .array(
      z.strictObject({
        id: z.string().min(1).max(5),
        run: z.union([z.string(), z.array(z.string().min(1))]).optional(),
      }),
    )
    .max(3)
    .default([]),
  executor: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("process") }),
      z.strictObject({ type: z.literal("docker"), image: z.string() }),
    ])
    .optional(),
});

function problems(text: string): readonly Problem[] {
  try {
    parseYaml(text, schema, "berth.yaml");
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error("expected problems");
}

function lines(text: string): string[] {
  try {
    parseYaml(text, schema, "berth.yaml");
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
}

describe("parseYaml", () => {
  it("gives the value with defaults", () => {
    expect(parseYaml("name: web\npools: {a: {maxConcurrency: 3}}\n", schema, "berth.yaml")).toEqual({
      name: "web",
      policy: "priority",
      pools: { a: { maxConcurrency: 3 } },
      tasks: [],
    });
  });

  it.each([
    [
      "a value below the minimum",
      "name: a\npools:\n  a: {maxConcurrency: -1}",
      "berth.yaml:3:23 pools.a.maxConcurrency: -1 is below the minimum, 0",
    ],
    [
      "a value above the maximum",
      "name: a\npools:\n  a: {maxConcurrency: 101}",
      "berth.yaml:3:23 pools.a.maxConcurrency: 101 is above the maximum, 100",
    ],
    [
      "a huge number",
      "name: a\npools: {a: {maxConcurrency: 1e300}}",
      "berth.yaml:2:29 pools.a.maxConcurrency: 1e+300 is above the maximum, 100",
    ],
    [
      "a fraction",
      "name: a\npools: {a: {maxConcurrency: 1.5}}",
      "berth.yaml:2:29 pools.a.maxConcurrency: 1.5 is not a whole number",
    ],
    [
      "NaN",
      "name: a\npools: {a: {maxConcurrency: .nan}}",
      "berth.yaml:2:29 pools.a.maxConcurrency: NaN is not a number",
    ],
    [
      "an endless number",
      "name: a\npools: {a: {maxConcurrency: 1, ratio: .inf}}",
      "berth.yaml:2:39 pools.a.ratio: Infinity is not a number",
    ],
    ["a value of another kind", "name: a\npools: 7", "berth.yaml:2:8 pools: 7 is not a mapping"],
    [
      "an unknown key",
      "name: a\npool: {}",
      "berth.yaml:2:1 pool: is not known here; known are: name, policy, pools, tasks, executor",
    ],
    [
      "an unknown key further down",
      "name: a\npools:\n  a:\n    maxConcurrency: 1\n    max: 2",
      "berth.yaml:5:5 pools.a.max: is not known here; known are: maxConcurrency, ratio",
    ],
    ["a bad name", "name: a\npools: {A1: {maxConcurrency: 1}}", 'berth.yaml:2:9 pools.A1: "A1" is not a pool name'],
    ["a missing key", "policy: fifo", "berth.yaml:1:1 name: is missing; it must be a text"],
    ["nothing at all", "", "berth.yaml:1:1 name: is missing; it must be a text"],
    ["a value without text", "name:\npolicy: fifo", "berth.yaml:1:6 name: nothing is not a text"],
    [
      "a word that isn't among the choices",
      "name: a\npolicy: lifo",
      'berth.yaml:2:9 policy: "lifo" is not one of: fifo, priority',
    ],
    [
      "what the schema says in its own words",
      "name: A b",
      'berth.yaml:1:7 name: "A b" must be small letters and dashes',
    ],
    [
      "a text that is too long",
      "name: a\ntasks: [{id: abcdef}]",
      "berth.yaml:2:14 tasks[0].id: has 6 characters, above the maximum of 5",
    ],
    [
      "a list that is too long",
      "name: a\ntasks: [{id: a}, {id: b}, {id: c}, {id: d}]",
      "berth.yaml:2:8 tasks: has 4 items, above the maximum of 3",
    ],
    [
      "none of two kinds",
      "name: a\ntasks: [{id: a, run: 7}]",
      "berth.yaml:2:22 tasks[0].run: 7 is not a text or a list",
    ],
    [
      "the kind that was meant",
      'name: a\ntasks: [{id: a, run: [x, ""]}]',
      "berth.yaml:2:26 tasks[0].run[1]: has 0 characters, below the minimum of 1",
    ],
    [
      "a variant that there isn't",
      "name: a\nexecutor: {type: vm}",
      'berth.yaml:2:18 executor.type: "vm" is not one of: process, docker',
    ],
    [
      "what a variant needs",
      "name: a\nexecutor: {type: docker}",
      "berth.yaml:2:11 executor.image: is missing; it must be a text",
    ],
    ["a text that isn't a mapping", "hello", 'berth.yaml:1:1: "hello" is not a mapping'],
  ])("names %s with line, column, path, value and bound", (_, text, expected) => {
    expect(lines(text)).toEqual([expected]);
  });

  it("tells all problems together", () => {
    expect(lines("nme: a\npolicy: lifo\npools: {a: {maxConcurrency: -1}}").map((line) => line.split(" ")[0])).toEqual([
      "berth.yaml:1:1",
      "berth.yaml:2:9",
      "berth.yaml:3:29",
      "berth.yaml:1:1",
    ]);
  });

  it("lists fifty of very many and counts the rest", () => {
    const many = Array.from({ length: 80 }, (_, index) => `bad${index}: 1`).join("\n");
    expect(lines(`name: a\n${many}`)).toHaveLength(51);
    expect(lines(`name: a\n${many}`).at(-1)).toBe("and 30 more problems");
  });

  it("shows no more than the beginning of a long value", () => {
    expect(lines(`name: "${"X".repeat(5_000)}"`)[0]?.length).toBeLessThan(160);
  });

  it.each([
    ["broken YAML", "name: [a", 1, /^broken YAML: /],
    ["a key twice", "name: a\nname: b", 2, /^this key appears twice/],
    ["two documents", "name: a\n---\nname: b", 2, /^there is more than one document/],
    ["an alias of nothing", "name: *gone", 1, /alias/i],
    ["an unknown tag", "name: !!js/function 'x'", 1, /^broken YAML: Unresolved tag/],
    ["a tab where spaces belong", "pools:\n\ta: 1", 2, /^broken YAML: /],
  ])("refuses %s", (_, text, line, message) => {
    const [first] = problems(text);
    expect(first).toMatchObject({ source: "berth.yaml", line, message: expect.stringMatching(message) });
  });

  it("refuses aliases that multiply", () => {
    const levels = Array.from(
      { length: 9 },
      (_, level) => `a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(", ")}]`,
    );
    expect(problems(`a0: &a0 [x, x]\n${levels.join("\n")}`)[0]?.message).toMatch(/^aliases/);
  });

  it("follows an alias to the place of what is wrong", () => {
    expect(lines("name: a\npools:\n  a: &one {maxConcurrency: -1}\n  b: *one")).toEqual([
      "berth.yaml:3:28 pools.a.maxConcurrency: -1 is below the minimum, 0",
      "berth.yaml:3:28 pools.b.maxConcurrency: -1 is below the minimum, 0",
    ]);
  });

  it("refuses what is nested too deeply", () => {
    expect(problems(`name: ${"[".repeat(50_000)}`)).not.toHaveLength(0);
  });
});
