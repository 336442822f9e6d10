import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { berthCli, expectRefusal, expectWorking, stateOf } from "./harness/refusal.js";

const folder = scratchFolder();
let berth: Berth;
let before: Awaited<ReturnType<typeof stateOf>>;

beforeAll(async () => {
  berth = await startBerth(folder.path, { limits: { global: 4, "api:llm": 3 } });
  before = await stateOf(berth.client);
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

/** A task file with one task that has `more`. */
const task = (more: string) => `tasks:\n- {id: a, run: "true", ${more}}\n`;
const nested = (deep: number) => `tasks: ${"[".repeat(deep)}${"]".repeat(deep)}`;
/** Nine lines that would expand to 9^9 items. */
const bomb = Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${Array(9).fill(`*a${at}`).join(",")}]`);

let files = 0;

/** Writes the file (undefined: a folder) and has `berth` refuse it, with nothing changed. */
async function refuse(command: readonly string[], content: string | Buffer | undefined, expected: (string | RegExp)[]) {
  const file = `bad-${++files}.yaml`;
  if (content === undefined) mkdirSync(join(folder.path, file));
  else writeFileSync(join(folder.path, file), content);
  const [verb = "", ...flags] = command;
  const ended = await berthCli(berth, verb, file, ...flags);
  expectRefusal(ended, expected);
  expect(await stateOf(berth.client)).toEqual(before);
}

describe("a task file is refused, with file, line, field, value and bound, and nothing is taken:", () => {
  it.concurrent.each<[what: string, content: string | Buffer | undefined, ...expected: (string | RegExp)[]]>([
    ["broken YAML", 'tasks: [{id: a, run: "tru', /^berth: bad-\d+\.yaml:1:26: broken YAML: .*quote\n$/],
    ["an empty file", "", ":1:1 tasks: is missing; it must be a list"],
    ["a folder", undefined, "this is a folder, not a file; name a file in it"],
    ["binary garbage", Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0, 1]), ":1:5: byte 0x00 isn't text"],
    ["Latin-1", Buffer.from("tasks:\n- {id: a, run: caf\xe9}", "latin1"), ":2:19: byte 0xe9 isn't UTF-8: save"],
    ["UTF-16", Buffer.from("\ufefftasks: []", "utf16le"), ":1:4: byte 0x00 isn't text"],
    ["an alias bomb", ["a0: &a0 [x, x]", ...bomb].join("\n"), "aliases (*name) repeat more than 100 times"],
    ["10,000 levels", nested(10_000), "is nested too deeply"],
    ["two documents", "tasks: []\n---\ntasks: []", "there is more than one document; keep one"],
    ["an unknown key", task("need: [b]"), ":2:24 tasks[0].need: is not known here; known are: id,", " needs,"],
    ["a key twice", task("pool: a, pool: b"), "this key appears twice; keep one of them"],
    ["a wrong type", "tasks:\n- {id: a, run: 7}", ":2:16 tasks[0].run: 7 isn't a command: write a program"],
    ["an id twice", `${task("priority: 1")}- {id: a, run: x}`, 'tasks[1].id: "a" is the id of tasks[0] already'],
    ["a need that isn't there", task("needs: [A, zz]"), 'there is no task "zz" in this file', 'did you mean "a"?'],
    ["a need of itself", task("needs: [a]"), "in a circle: a needs a. Remove one of these needs"],
    [
      "a cycle",
      `${task("needs: [b]")}- {id: b, run: x, needs: [c]}\n- {id: c, run: x, needs: [a]}`,
      ":2:31 tasks[0].needs: the tasks wait for each other in a circle: a needs b needs c needs a. Remove one",
    ],
    [
      "an unknown pool",
      task("pool: nope"),
      'tasks[0].pool: there is no pool "nope": there are default; create it first',
    ],
    ["an unknown skill", task("skill: nope"), 'no pool offers the skill "nope": add it to the skills of a pool'],
    [
      "an unknown limit",
      `${task("limits: [nope]")}- {id: b, run: x, limits: [nope]}`,
      'tasks[0].limits["nope"]: there is no limit nope, which 2 tasks name: create it first\n  to make it: `',
      /limit set nope --capacity N --create --data \S+`/,
    ],
    [
      "a weight above the capacity",
      task("limits: {api:llm: 4}"),
      "weighs 4, limit api:llm has 3 in all: lower the weight or raise the limit",
    ],
    [
      "numbers out of bounds",
      [
        "tasks:",
        ...["-1", ".nan", "1e309", "9223372036854775808", "9007199254740993", "1.5", '"2"'].map(
          (weight, at) => `- {id: w${at}, run: x, limits: {api:llm: ${weight}}}`,
        ),
        "- {id: p, run: x, priority: 1e5}",
        "- {id: r, run: x, resources: {cpu: -1, memory: 1e400}}",
        "- {id: t, run: x, timeout: 1e30s}",
        "- {id: m, run: x, retry: {multiplier: .nan}}",
      ].join("\n"),
      ":2:38 tasks[0].limits.api:llm: -1 is below the minimum, 1\n",
      "tasks[1].limits.api:llm: NaN is not a number\n",
      "tasks[2].limits.api:llm: Infinity is not a number\n",
      "tasks[3].limits.api:llm: 9223372036854776000 is above the maximum, 9007199254740991\n",
      "tasks[4].limits.api:llm: 9007199254740992 is above the maximum, 9007199254740991\n",
      "tasks[5].limits.api:llm: 1.5 is not a whole number\n",
      'tasks[6].limits.api:llm: "2" is not a number\n',
      "tasks[7].priority: 100000 is above the maximum, 1000\n",
      "tasks[8].resources.cpu: -1 is below the minimum, 0 cores\n",
      "tasks[8].resources.memory: Infinity isn't a number of bytes: write 64KiB",
      'tasks[9].timeout: "1e30s" isn\'t a time-out: write a duration such as 10m',
      "tasks[10].retry.multiplier: NaN is not a number\n",
    ],
    [
      "names with ../",
      'tasks:\n- {id: ../a, run: x, pool: ../p, tenant: ../t, skill: ../s, limits: ["../l"], needs: [../n]}',
      'tasks[0].id: "../a" isn\'t a task id: write 1 to 127 letters',
      'tasks[0].pool: "../p" isn\'t a name',
      'tasks[0].tenant: "../t" isn\'t a name',
      'tasks[0].skill: "../s" isn\'t a name',
      "tasks[0].limits[0]: \"../l\" isn't a limit's name",
      'tasks[0].needs[0]: "../n" isn\'t a task id',
    ],
  ])("%s", (_, content, ...expected) => refuse(["submit"], content, expected));
});

describe("a pool file is refused before anything of it is applied:", () => {
  it.concurrent.each<[what: string, content: string, ...expected: (string | RegExp)[]]>([
    ["broken YAML", "pools: {a: {maxConcurrency: 1}", /:1:\d+: broken YAML: /],
    ["a negative limit", "limits:\n  extra: 1\n  global: -1", ":3:11 limits.global: -1 is below the minimum, 0"],
    ["NaN", "limits:\n  extra: 1\n  global: .nan", ":3:11 limits.global: NaN isn't a limit: write a whole capacity"],
    ["a huge number", "limits: {global: 1e309}", "limits.global: Infinity isn't a limit"],
    ["2^53 and more", "limits: {global: 9007199254740993}", "is above the maximum, 9007199254740991"],
    ["a huge pool", "pools: {a: {maxConcurrency: 1e300}}", "maxConcurrency: 1e+300 is above the maximum, 1000000"],
    [
      "names with ../",
      'pools: {../p: {maxConcurrency: 1}}\nlimits: {"../l": 1}',
      'pools.../p: "../p" isn\'t a name',
      '"../l"',
    ],
    [
      "a slot with ../",
      "pools: {a: {maxConcurrency: 1, slots: [../s]}}",
      'pools.a.slots[0]: "../s" isn\'t a slot: write',
    ],
    ["a skill of an unknown pool", "skills: {x: nope}", 'there is no pool "nope"'],
    ["a port out of bounds", "ports: {registry: 65536}", "ports.registry: 65536 is above the maximum, 65535"],
    ["an unknown key", "pool: {}", ":1:1 pool: is not known here; known are: dataFolder"],
  ])("%s", (_, content, ...expected) => refuse(["apply"], content, expected));
});

describe("what only looks wrong is taken:", () => {
  it.each([
    ["a byte order mark and CRLF", "bom", Buffer.from("\ufefftasks:\r\n- {id: a, run: 'true'}\r\n")],
    [
      "aliases within reason",
      "alias",
      Buffer.from("defaults: {env: &e {A: x}}\ntasks:\n- {id: a, run: 'true', env: *e}"),
    ],
  ])("%s", async (_, set, content) => {
    writeFileSync(join(folder.path, `${set}.yaml`), content);
    const { code, out, error } = await berthCli(berth, "submit", `${set}.yaml`, "--set", set);
    expect({ code, error }).toEqual({ code: 0, error: "" });
    expect(out).toContain(`1 task submitted as set ${set}`);
  });

  it("and afterwards tasks run as before", () => expectWorking(berth.client));
});
