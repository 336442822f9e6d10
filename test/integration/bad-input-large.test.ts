import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { berthCli, expectRefusal, stateOf } from "./harness/refusal.js";

const folder = scratchFolder();
let berth: Berth;

// Nothing starts, so that the machine has time for the submissions.
beforeAll(async () => {
  berth = await startBerth(folder.path, { limits: { global: 0 } });
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

const lines = (count: number, wrong?: number) =>
  Array.from({ length: count }, (_, at) => `- {id: t${at}, run: "true"${at === wrong ? ", pool: nope" : ""}}`);

function submit(text: string, ...flags: string[]) {
  writeFileSync(join(folder.path, "tasks.yaml"), text);
  return berthCli(berth, "submit", "tasks.yaml", ...flags);
}

describe("large input", () => {
  it.each([
    ["standard input", `run: [cat], stdin: "${"x".repeat(5_000_000)}"`],
    ["payload", `handler: h, payload: "${"x".repeat(5_000_000)}"`],
    ["arguments", `run: [echo, "${"x".repeat(5_000_000)}"]`],
  ])("5 MB of %s is refused with its size, the bound and what to do", async (_, fields) => {
    const refused = await submit(`tasks:\n- {id: a, ${fields}}\n`);
    expectRefusal(refused, [/tasks\[0\] "a" is 50000\d\d bytes; .*256 KiB .*4 MiB: put large input into a file/]);
    expect((await stateOf(berth.client)).sets).toEqual([]);
  });

  it("25,000 tasks of which one near the end is wrong are refused as a whole, though they need three requests", async () => {
    const refused = await submit(["tasks:", ...lines(25_000, 24_000)].join("\n"));
    expectRefusal(refused, ['tasks[24000].pool: there is no pool "nope": there are default']);
    expect((await stateOf(berth.client)).sets).toEqual([]);
  });

  it("100,000 good ones are taken by one `berth submit`", async () => {
    const { code, out, error } = await submit(["tasks:", ...lines(100_000)].join("\n"), "--set", "large");
    expect({ code, error }).toEqual({ code: 0, error: "" });
    expect(out).toContain("100000 tasks submitted as set large");
    expect((await stateOf(berth.client)).sets).toEqual([{ set: "large", taskCount: 100_000n }]);
  });
});
