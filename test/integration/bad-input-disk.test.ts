import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, freePorts, scratchFolder, startBerth } from "./harness/berth.js";
import { start } from "./harness/command.js";
import { berthCli, expectRefusal, expectWorking } from "./harness/refusal.js";
import { until } from "./harness/until.js";

// Only root may mount; elsewhere these tests are skipped, and this says so.
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn("bad-input-disk: skipped, because only root can mount the small disk that they fill");

const scratch = scratchFolder();
const disk = join(scratch.path, "disk");
const filler = join(disk, "filler");
let berth: Berth | undefined;

beforeAll(() => {
  if (!isRoot) return;
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", disk]);
});
afterAll(async () => {
  if (isRoot) rmSync(filler, { force: true });
  await berth?.stop();
  if (isRoot) execFileSync("umount", ["-l", disk]);
  scratch.remove();
});

/** Writes until not one byte more fits. */
function fillDisk(): void {
  const file = openSync(filler, "a");
  for (let block = 1 << 20; block >= 1; ) {
    try {
      if (writeSync(file, Buffer.alloc(block)) < block) block >>= 1;
    } catch {
      block >>= 1;
    }
  }
  closeSync(file);
}

const freeDisk = () => rmSync(filler);

describe.skipIf(!isRoot)("a full disk under the data folder", () => {
  it("stops a start with one line, and the next start works", async () => {
    fillDisk();
    const config = join(scratch.path, "up.yaml");
    writeFileSync(config, JSON.stringify({ ports: freePorts, dataFolder: join(disk, "berth-data") }));
    const ended = await start(process.execPath, [cli, "up", "--config", config], { cwd: scratch.path }).ended;
    freeDisk();
    expectRefusal(ended, [/^berth: .*full: free some space.*\n$/], 1);
    berth = await startBerth(disk);
    await expectWorking(berth.client);
  });

  it("refuses submissions whole, keeps the result of what runs, and goes on by itself once there is space", async () => {
    const { client, child } = berth as Berth;
    const go = join(scratch.path, "go");
    const wait = `until [ -e ${go} ]; do sleep 0.05; done; echo through`;
    await client.submit(
      [
        { id: "runs", run: wait },
        { id: "after", run: ["true"], needs: ["runs"] },
      ],
      { set: "kept" },
    );
    await until("the task to run", async () => (await client.task("kept/runs")).state === "RUNNING");

    fillDisk();
    const refused = await berthCli(berth as Berth, "submit", "--set", "refused", "--", "true");
    expectRefusal(
      refused,
      ["bytes are free in the data folder", "free some space and submit again; nothing was taken"],
      1,
    );
    // The run ends while its outcome can be written nowhere.
    writeFileSync(go, "");
    const change = await berthCli(berth as Berth, "limit", "set", "global", "--capacity", "7");
    expectRefusal(
      change,
      ["can't be written, because its disk is full: free some space", "repeat it with the same"],
      1,
    );

    freeDisk();
    expect((await client.wait("kept")).taskCounts).toEqual({ SUCCEEDED: 2 });
    expect(child.exitCode).toBeNull();
    const { taskSets } = await client.registry.listTaskSets({});
    expect(taskSets.map(({ set }) => set)).not.toContain("refused");
    await expectWorking(client);
  });

  it("has lost nothing of what was acknowledged when Berth starts again", async () => {
    await berth?.stop();
    berth = await startBerth(disk);
    expect(await berth.client.task("kept/runs")).toMatchObject({ attempts: [{ attempt: 1 }] });
    expect((await berth.client.wait("kept")).taskCounts).toEqual({ SUCCEEDED: 2 });
    await expectWorking(berth.client);
  });
});
