import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, scratchFolder, startBerth } from "./harness/berth.js";
import { start, succeed } from "./harness/command.js";
import { processesWith } from "./harness/processes.js";
import { mostOverlapping, nowNs, readRuns } from "./harness/records.js";
import { until } from "./harness/until.js";

const workload = fileURLToPath(new URL("harness/record.mjs", import.meta.url));
const folder = scratchFolder();
// The operator's limit has the name that the sets use too, and a capacity that none of their tasks fits.
const config = { limits: { global: 8, gpu: 1 }, pools: { default: { maxConcurrency: 8 } } };
let berth: Berth;

const environment = () => ({ ...process.env, BERTH_DATA_FOLDER: join(folder.path, "berth-data") });
const options = () => ({ cwd: folder.path, environment: environment() });
const run = (...args: string[]): Promise<string> => succeed(process.execPath, [cli, ...args], options());

beforeAll(async () => {
  berth = await startBerth(folder.path, config);
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

/** Kills Berth in mid-run and starts it again. Returns when everything that ran was dead, which is before anything runs anew. */
async function killAndStart(): Promise<bigint> {
  const { runners } = await berth.client.pools.getStatus({});
  await berth.kill();
  const alive = () => runners.flatMap((each) => processesWith("BERTH_RUNNER_INCARNATION", each.incarnation));
  await until("the workloads to be dead", () => alive().length === 0);
  const deadNs = nowNs();
  berth = await startBerth(folder.path, config);
  return deadNs;
}

async function ofSets(): Promise<Record<string, bigint>> {
  const { limits } = await berth.client.pools.getStatus({});
  const owned = limits.filter(({ ownerSet }) => ownerSet !== "");
  return Object.fromEntries(owned.map(({ limit, capacity }) => [limit, capacity]));
}

function records(name: string, count: number): { file: string; tasks: string } {
  const file = join(folder.path, `${name}.records`);
  const path = join(folder.path, `${name}.yaml`);
  const tasks = Array.from({ length: count }, (_, n) => ({
    id: `t${n}`,
    run: [process.execPath, workload, file, "100"],
    limits: { gpu: 2 },
  }));
  writeFileSync(path, JSON.stringify({ limits: { gpu: { capacity: 4 } }, maxConcurrency: 3, tasks }));
  return { file, tasks: path };
}

describe("limits that a task file declares for its own set", () => {
  it("hold, are made and deleted through kill -9 at submission, in mid-run and at the end, and touch no other", async () => {
    const { file, tasks } = records("own", 12);
    await run("submit", tasks, "--set", "own");
    const firstDeadNs = await killAndStart();
    await until("a run to have ended", () => readRuns(file).some((each) => each.endNs !== undefined), 30_000);
    expect(await ofSets()).toEqual({ "set:own": 3n, "set:own:gpu": 4n });
    expect(await run("limits")).toMatch(/set:own:gpu +\d +4 .*of set own, as long as it lives/);
    const deadNs = await killAndStart();
    expect((await berth.client.wait("own")).taskCounts).toEqual({ SUCCEEDED: 12 });
    await killAndStart();
    await until("the limits to be gone", async () => Object.keys(await ofSets()).length === 0, 30_000);
    // Two at once by `gpu`; three would fit into the set. The operator's `gpu` would have let none of them run.
    expect(mostOverlapping(readRuns(file), (run) => (run.startNs < firstDeadNs ? firstDeadNs : deadNs))).toBe(2);
    expect(await run("limits")).toMatch(/^gpu +0 +1 /m);
  });

  it("are there again when a set that was done is retried, and two sets mean two", async () => {
    const limits = { gpu: 3 };
    const task = (id: string, line: string) => ({ id, run: line, limits: { gpu: 2 }, retry: 1 });
    const mark = join(folder.path, "mark");
    await berth.client.submit([task("a", `test -e ${mark}`)], { set: "left", limits });
    await berth.client.wait("left");
    await until("its limit to be gone", async () => Object.keys(await ofSets()).length === 0, 30_000);
    await berth.client.submit([task("a", `until test -e ${mark}; do sleep 0.05; done`)], { set: "right", limits });
    await until("its limit to be there", async () => "set:right:gpu" in (await ofSets()), 30_000);
    writeFileSync(mark, "");
    await berth.client.retry({ set: "left" });
    expect((await berth.client.wait("left")).taskCounts).toEqual({ SUCCEEDED: 1 });
    await berth.client.wait("right");
    await until("both to be gone", async () => Object.keys(await ofSets()).length === 0, 30_000);
  });

  it("can't be made, deleted or named by anybody else", async () => {
    const refused = (...args: string[]) => start(process.execPath, [cli, ...args], options()).ended;
    const made = await refused("limit", "set", "set:x:gpu", "--capacity", "1", "--create");
    expect(made).toMatchObject({ code: 2, error: expect.stringContaining("are taken by limits of sets") });
    await berth.client.submit([{ id: "a", run: ["sleep", "60"] }], { set: "held", limits: { gpu: 1 } });
    await until("its limit to be there", async () => "set:held:gpu" in (await ofSets()), 30_000);
    const deleted = await refused("limit", "delete", "set:held:gpu");
    expect(deleted.error).toContain("belongs to set held, and goes when that is done");
    const named = await refused("submit", "--limit", "set:held:gpu=1", "--", "true");
    expect(named).toMatchObject({ code: 2, error: expect.stringContaining("can't be named by a task") });
    await berth.client.cancel({ set: "held" }, "");
    await until("it to be gone", async () => Object.keys(await ofSets()).length === 0, 30_000);
  });
});
