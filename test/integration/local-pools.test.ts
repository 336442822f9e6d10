import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, scratchFolder, startBerth } from "./harness/berth.js";
import { succeed } from "./harness/command.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, { pools: { far: { maxConcurrency: 2, type: "remote" } } });
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

const run = (...args: string[]) =>
  succeed(process.execPath, [cli, ...args, "--data", join(folder.path, "berth-data")], { cwd: folder.path });
const runsIn = async (pool: string) =>
  expect(await run("run", "--pool", pool, "--", "sh", "-c", "echo $BERTH_POOL on $BERTH_RUNNER")).toBe(
    `${pool} on local\n`,
  );
const local = async () => {
  const { runners } = await berth.client.pools.getStatus({});
  return runners.find(({ runner }) => runner === "local");
};

describe("a local-process pool that is made while Berth runs", () => {
  it("is served by the local runner, whose pools and capacity the status shows", async () => {
    // With nothing to serve there is nobody to tell of.
    expect(await local()).toBeUndefined();
    await run("pool", "create", "images", "--max-concurrency", "2");
    await runsIn("images");
    await run("pool", "create", "many", "--max-concurrency", "300");
    await runsIn("many");
    await until("the runner to say its capacity", async () => (await local())?.capacity === 302);
    expect(await run("status")).toMatch(/^local +live +\d+ +302 .*images many/m);
  });

  it("takes with it, when it is deleted, its work from the runner", async () => {
    await run("pool", "delete", "many");
    await until("the runner to leave the pool", async () => (await local())?.pools.join() === "images");
    expect(await local()).toMatchObject({ capacity: 256 });
    await runsIn("images");
  });

  it("is served after a kill and another start, and others of other types aren't", async () => {
    await berth.kill();
    berth = await startBerth(folder.path, { pools: { far: { maxConcurrency: 2, type: "remote" } } });
    expect((await local())?.pools).toEqual(["images"]);
    await runsIn("images");
  });

  it("waits no longer than until the runner serves it, also for what was submitted before", async () => {
    await run("pool", "create", "later", "--max-concurrency", "1");
    const { set } = await berth.client.submit([{ id: "one", run: ["true"], pool: "later" }]);
    expect((await berth.client.wait(set)).taskCounts).toEqual({ SUCCEEDED: 1 });
  });
});
