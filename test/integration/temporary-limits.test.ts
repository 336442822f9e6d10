import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, scratchFolder, startBerth } from "./harness/berth.js";
import { start, succeed } from "./harness/command.js";

const folder = scratchFolder();
const config = { pools: { default: { maxConcurrency: 4 } }, limits: { "api:llm": { capacity: 6, reserve: 1 } } };
let berth: Berth;

const environment = () => ({ ...process.env, BERTH_DATA_FOLDER: join(folder.path, "berth-data") });
const options = () => ({ cwd: folder.path, environment: environment() });
const run = (...args: string[]): Promise<string> => succeed(process.execPath, [cli, ...args], options());
const until = String.raw`until 20\d\d-\d\d-\d\dT\S+`;

beforeAll(async () => {
  berth = await startBerth(folder.path, config, environment());
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

describe("a capacity that is set for a time", () => {
  it("is told as now, until when, then, by the command that sets it as by those that show limits", async () => {
    expect(await run("limit", "set", "api:llm", "--capacity", "2", "--for", "1h")).toMatch(
      new RegExp(`limit api:llm: 0 of 2 in use, ${until}, then 6\n.*limit set api:llm --now`),
    );
    expect(await run("limit", "set", "api:llm", "--capacity", "1", "--for", "2h")).toMatch(/of 1 .*then 6/);
    expect(await run("limit", "set", "api:llm", "--capacity", "9")).toMatch(
      new RegExp(`of 1 in use, ${until}, then 9`),
    );
    for (const command of ["limits", "status"])
      expect(await run(command)).toMatch(new RegExp(`api:llm +0 +1 .*${until}, then 9`));
    await run("limit", "set", "pool:default", "--capacity", "1", "--for", "1h");
    expect(await run("pool", "set", "default", "--max-concurrency", "3")).toMatch(
      new RegExp(`at most 1 ${until}, then 3\n.*limit set pool:default --now`),
    );
    expect(await run("pools")).toMatch(new RegExp(`default .*${until}, then 3`));
  });

  it("is no difference from a file, which says what is for good", async () => {
    const file = join(folder.path, "other.yaml");
    writeFileSync(
      file,
      JSON.stringify({ pools: { default: { maxConcurrency: 3 } }, limits: { "api:llm": { capacity: 7, reserve: 1 } } }),
    );
    expect(await run("apply", file)).toMatch(/~ limit api:llm: capacity 9 -> 7\n(.*\n)*1 applied/);
    expect(await run("apply", file)).toMatch(/Berth is as/);
    expect(await run("limits")).toMatch(/api:llm +0 +1 .*then 7/);
  });

  it("ends at once with --now, and what was last set for good holds", async () => {
    expect(await run("limit", "set", "api:llm", "--now")).toBe("limit api:llm: 0 of 7 in use\n");
    expect(await run("limit", "set", "pool:default", "--now")).toBe("limit pool:default: 0 of 3 in use\n");
  });

  it.each([
    [["--for", "10m"], "--for needs --capacity"],
    [["--capacity", "1", "--for", "10m", "--now"], "--for or --now, not both"],
    [["--capacity", "0", "--for", "10m"], "the reserve of api:llm, 1, is above the capacity 0"],
  ])("is refused with %j", async (flags, words) => {
    const { code, error } = await start(process.execPath, [cli, "limit", "set", "api:llm", ...flags], options()).ended;
    expect(code).toBe(2);
    expect(error).toContain(words);
  });

  it("makes no limit that would hold nothing afterwards", async () => {
    const create = ["limit", "set", "new", "--capacity", "1", "--create"];
    const { code, error } = await start(process.execPath, [cli, ...create, "--for", "1m"], options()).ended;
    expect(code).toBe(2);
    expect(error).toContain("make it with a lasting capacity first");
    expect(await run(...create)).toContain("limit new: 0 of 1 in use");
  });
});
