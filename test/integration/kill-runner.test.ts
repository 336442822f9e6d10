import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pool } from "@berth/contracts";
import { slowdown } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth, startProcess } from "./harness/berth.js";
import { isAlive } from "./harness/processes.js";
import { mostOverlapping, nowNs, type Run, readRuns } from "./harness/records.js";
import { until } from "./harness/until.js";

const workload = fileURLToPath(new URL("harness/record.mjs", import.meta.url));
const folder = scratchFolder();
/** A runner's restart has to fit into it, on this machine as busy as it is now. */
const ttlMs = Math.ceil(3_000 * slowdown());
let berth: Berth;
const runners: ReturnType<typeof startProcess>[] = [];

beforeAll(async () => {
  berth = await startBerth(folder.path, {
    pools: { away: { type: "remote", maxConcurrency: 1 } },
    defaults: { heartbeatTimeout: `${ttlMs}ms`, killTime: "300ms", timerLateness: "100ms", lateResultWait: "200ms" },
  });
});
afterAll(async () => {
  for (const runner of runners) runner.child.kill("SIGCONT");
  for (const runner of runners) runner.child.kill("SIGKILL");
  await berth?.stop();
  folder.remove();
});

function startRunner(id: string) {
  const args = ["runner", "--id", id, "--pool", "away", "--capacity", "2", "--folder", join(folder.path, id)];
  const runner = startProcess([...args, "--data", berth.dataFolder], folder.path);
  runners.push(runner);
  return runner;
}

async function liveRunners(): Promise<string[]> {
  const status = await berth.client.pools.getStatus({});
  return status.runners.filter((runner) => runner.state === pool.Runner_State.LIVE).map((runner) => runner.runner);
}

/** Submits one long task and returns its first run once that has begun. */
async function startLongTask(file: string): Promise<{ task: string; first: Run }> {
  writeFileSync(file, "");
  const { set } = await berth.client.submit([
    { id: "long", pool: "away", run: [process.execPath, workload, file, "1500"] },
  ]);
  await until("the task to run", () => readRuns(file).length === 1);
  return { task: `${set}/long`, first: readRuns(file)[0] as Run };
}

describe("a runner that dies", () => {
  it("by kill -9 has its workloads killed, and they run elsewhere within seconds of its restart", async () => {
    const file = join(folder.path, "killed");
    const first = startRunner("a");
    await until("the runner to attach", async () => (await liveRunners()).includes("a"));
    const { task, first: run } = await startLongTask(file);
    first.child.kill("SIGKILL");
    await until("the workload to be dead", () => !isAlive(run.pid), 2_000);
    const again = startRunner("a");
    const tookMs = await until("the task to run again", () => readRuns(file).length === 2, 10_000);
    await until("the task to succeed", async () => (await berth.client.task(task)).state.endsWith("SUCCEEDED"));
    const after = await berth.client.task(task);
    expect(after.attempts.map((attempt) => attempt.releaseReason)).toEqual(["runner_lost", "completed"]);
    expect(after.failureCount).toBe(0);
    expect(tookMs).toBeLessThan(5_000);
    again.child.kill("SIGTERM");
    await again.exited;
    console.log(`kill-runner: the task ran again ${tookMs} ms after the restart`);
  });

  it("for good has its tasks run on another runner within the TTL", async () => {
    const file = join(folder.path, "gone");
    const dying = startRunner("b");
    startRunner("c");
    await until("both runners to attach", async () => (await liveRunners()).join() === "b,c");
    // Of two that are equally free the first by name gets it. It is there already, so the task needn't outlast the start of another.
    const { task } = await startLongTask(file);
    dying.child.kill("SIGKILL");
    const tookMs = await until("the task to run again", () => readRuns(file).length === 2, 3 * ttlMs);
    await until("the task to succeed", async () => (await berth.client.task(task)).state.endsWith("SUCCEEDED"));
    const after = await berth.client.task(task);
    expect(after.attempts.map((attempt) => [attempt.runner, attempt.releaseReason])).toEqual([
      ["b", "expired"],
      ["c", "completed"],
    ]);
    expect(tookMs).toBeLessThan(ttlMs + 2_000);
    console.log(`kill-runner: without a restart the task ran elsewhere after ${tookMs} ms (TTL ${ttlMs} ms)`);
  });

  it("by SIGSTOP beyond its TTL has had its workloads killed by the guard before the slot is granted again", async () => {
    const file = join(folder.path, "stopped");
    writeFileSync(file, "");
    await until("one live runner", async () => (await liveRunners()).join() === "c");
    const stopped = runners.at(-1);
    const run = [process.execPath, workload, file, String(4 * ttlMs)];
    const { set } = await berth.client.submit([{ id: "held", pool: "away", run }]);
    await until("the task to run", () => readRuns(file).length === 1);
    const first = readRuns(file)[0] as Run;
    startRunner("d");
    await until("the other runner to attach", async () => (await liveRunners()).includes("d"));
    stopped?.child.kill("SIGSTOP");
    let deadNs = 0n;
    await until(
      "the guard to kill the workload",
      () => {
        if (!isAlive(first.pid)) deadNs ||= nowNs();
        return deadNs !== 0n;
      },
      2 * ttlMs,
    );
    await until("the task to run elsewhere", () => readRuns(file).length === 2, 3 * ttlMs);
    const second = readRuns(file)[1] as Run;
    expect(deadNs).toBeLessThan(second.startNs);
    expect(
      mostOverlapping([
        { ...first, endNs: deadNs },
        { ...second, endNs: nowNs() },
      ]),
    ).toBe(1);
    const task = await berth.client.task(`${set}/held`);
    expect(task.attempts[0]?.releaseReason).toBe("expired");
    stopped?.child.kill("SIGCONT");
    await berth.client.cancel(`${set}/held`);
    await until("the task to be cancelled", async () =>
      (await berth.client.task(`${set}/held`)).state.endsWith("CANCELLED"),
    );
    const marginMs = Number(second.startNs - deadNs) / 1e6;
    console.log(`kill-runner: the workload was dead ${Math.round(marginMs)} ms before its successor began`);
  });
});
