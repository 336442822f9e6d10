import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, scratchFolder, startBerth } from "./harness/berth.js";
import { type Ended, start } from "./harness/command.js";

const folder = scratchFolder();
let berth: Berth;

const run = (...args: string[]): Promise<Ended> =>
  start(process.execPath, [cli, ...args], {
    cwd: folder.path,
    environment: { ...process.env, BERTH_DATA_FOLDER: join(folder.path, "berth-data") },
  }).ended;
const states = async (set: string) =>
  Object.fromEntries(
    (await run("tasks", "--set", set)).out
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(/ {2,}/).slice(0, 2))
      .map(([task = "", state = ""]) => [task.split("/")[1], state]),
  );

beforeAll(async () => {
  berth = await startBerth(folder.path, { pools: { default: { maxConcurrency: 4 }, held: { maxConcurrency: 1 } } });
  await run("pool", "set", "held", "--pause");
  const file = join(folder.path, "tasks.yaml");
  const tasks = [
    "{ id: quick, run: 'echo one; echo two >&2' }",
    "{ id: fails, run: 'exit 3', retry: 1 }",
    "{ id: mine, run: 'true', pool: held, tenant: me }",
    "{ id: yours, run: 'true', pool: held, tenant: you, labels: { kind: big } }",
    "{ id: later, run: 'true', needs: [mine] }",
  ];
  writeFileSync(file, `tasks:\n${tasks.map((task) => `  - ${task}\n`).join("")}`);
  for (const set of ["nightly-one", "nightly-two"]) await run("submit", file, "--set", set);
  for (const set of ["nightly-one", "nightly-two"])
    for (const id of ["quick", "fails"]) await run("logs", `${set}/${id}`, "-f");
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

describe("what people call tasks and sets", () => {
  it("is shown in the same words everywhere: queued waits for capacity, blocked for other tasks", async () => {
    expect(await states("nightly-one")).toMatchObject({ mine: "queued", later: "blocked", fails: "failed" });
    const queued = (await run("tasks", "--set", "nightly-one", "--state", "queued")).out;
    expect(queued).toMatch(/^nightly-one\/mine +queued .* pool held paused$/m);
    expect((await run("status")).out).toMatch(/^4 queued: 4 pool held paused$/m);
  });

  it("may be the beginning of a set, @last, or a task's id, as long as it is the only one; otherwise all are listed", async () => {
    expect((await run("tasks", "--set", "nightly-o", "--json")).out).toContain("nightly-one/quick");
    expect((await run("tasks", "--set", "@last", "--json")).out).toContain("nightly-two/quick");
    expect((await run("logs", "nightly-o/quick")).out).toBe("one\n");
    const two = await run("logs", "quick");
    expect(two).toMatchObject({ code: 1, out: "" });
    expect(two.error).toContain('"quick" may be nightly-two/quick, nightly-one/quick: say which');
    const sets = await run("cancel", "nightly");
    expect(sets.code).toBe(1);
    expect(sets.error).toContain("set nightly-two, set nightly-one");
    expect((await run("cancel", "nightlx")).error).toContain('there is no task or set "nightlx"');
    expect(await states("nightly-one")).toMatchObject({ mine: "queued" });
  });

  it("shows the output of a set with names in front", async () => {
    const { code, out, error } = await run("logs", "nightly-one");
    expect({ code, out, error }).toEqual({ code: 0, out: "quick | one\n", error: "quick | two\n" });
  });

  it("cancels what flags choose: never more than one task without a yes, and no other task", async () => {
    const refused = await run("cancel", "--pool", "held");
    expect(refused.code).toBe(2);
    expect(refused.error).toContain("4 tasks are to be cancelled");
    expect((await run("cancel")).code).toBe(2);
    expect(await states("nightly-two")).toMatchObject({ mine: "queued", yours: "queued" });
    expect((await run("cancel", "nightly-two", "--label", "kind=big")).code).toBe(0);
    expect(await states("nightly-two")).toMatchObject({ mine: "queued", yours: "cancelled", later: "blocked" });
    expect((await run("cancel", "--tenant", "me", "--yes")).code).toBe(0);
    expect(await states("nightly-one")).toMatchObject({ mine: "cancelled", yours: "queued", later: "skipped" });
    expect((await run("retry", "--tenant", "me", "--state", "cancelled")).out).toContain("4 tasks begin anew");
    expect(await states("nightly-two")).toMatchObject({ mine: "queued", yours: "cancelled", later: "blocked" });
  });
});
