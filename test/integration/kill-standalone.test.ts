import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { isAlive, processesWith } from "./harness/processes.js";
import { mostOverlapping, nowNs, readRuns } from "./harness/records.js";
import { until } from "./harness/until.js";

const workload = fileURLToPath(new URL("harness/record.mjs", import.meta.url));
const folder = scratchFolder();
const config = { limits: { global: 4 }, pools: { default: { maxConcurrency: 4 } } };
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, config);
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

describe("kill -9 of the standalone process in mid-run", () => {
  it("loses no task, ends each exactly once, leaves no process over, and keeps the limit", async () => {
    const file = join(folder.path, "records");
    const tasks = Array.from({ length: 60 }, (_, index) => ({
      id: `t${index}`,
      run: [process.execPath, workload, file, "250"],
      needs: index >= 50 ? [`t${index - 50}`] : [],
    }));
    const { set } = await berth.client.submit(tasks);
    await until("ten runs to have ended", () => readRuns(file).filter((run) => run.endNs !== undefined).length >= 10);
    const { runners } = await berth.client.pools.getStatus({});
    const incarnation = runners[0]?.incarnation ?? "none";
    // Nothing is between the look at the processes and the kill: in the meantime some would end by themselves.
    await until(
      "three runs at once, alive",
      () =>
        readRuns(file).filter((run) => run.endNs === undefined).length >= 3 &&
        processesWith("BERTH_RUNNER_INCARNATION", incarnation).length >= 3,
    );
    await berth.kill();
    const killedNs = nowNs();
    // Also what has just been started, and has not come to recording itself.
    const left = () => [
      ...readRuns(file).filter((run) => run.endNs === undefined && isAlive(run.pid)),
      ...processesWith("BERTH_RUNNER_INCARNATION", incarnation),
    ];
    await until("the guard to have killed what ran, all of it", () => left().length === 0, 5_000);
    const deadNs = nowNs();

    berth = await startBerth(folder.path, config);
    const done = await berth.client.wait(set);
    expect(done.taskCounts).toEqual({ SUCCEEDED: 60 });

    const runs = readRuns(file);
    for (let index = 0; index < 60; index++) {
      const ended = runs.filter((run) => run.task === `${set}/t${index}` && run.endNs !== undefined);
      const task = await berth.client.task(`${set}/t${index}`);
      // A run that ended in the very moment of the kill may have to be repeated: its outcome was never spooled.
      expect(ended.length, `${task.task} ran to its end ${ended.length} times`).toBeLessThanOrEqual(2);
      expect(ended.length).toBeGreaterThanOrEqual(1);
      expect(task.events.filter((event) => event.kind === "TaskSucceeded")).toHaveLength(1);
      expect(task.failureCount).toBe(0);
    }
    expect(mostOverlapping(runs, deadNs)).toBeLessThanOrEqual(4);
    const status = await berth.client.pools.getStatus({});
    expect([status.runningCount, status.drift]).toEqual([0n, 0n]);
    const tookMs = Number(deadNs - killedNs) / 1e6;
    console.log(
      `kill-standalone: ${runs.length} runs for 60 tasks; what ran was dead ${Math.round(tookMs)} ms after the kill`,
    );
  });
});
