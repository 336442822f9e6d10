import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { death, isAlive, pidIn, Victim } from "../testing/victim-process.js";

let folder = "";
let victims: Victim[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-guard-"));
  victims = [];
});
afterEach(async () => {
  for (const victim of victims) victim.kill("SIGKILL");
  for (const victim of victims)
    if (victim.process.exitCode === null && victim.process.signalCode === null)
      await new Promise((resolve) => victim.process.once("exit", resolve));
  rmSync(folder, { recursive: true, force: true });
});

const pidFile = (name: string): string => join(folder, `${name}.pid`);
/** A workload that ignores SIGTERM and has a child in its group and a grandchild in a session of its own. */
const stubborn = (): string =>
  `trap "" TERM HUP; sh -c 'trap "" TERM; echo $$ > ${pidFile("child")}; while :; do sleep 0.2; done' & ` +
  `setsid sh -c 'trap "" TERM; echo $$ > ${pidFile("escaped")}; while :; do sleep 0.2; done' & echo $$ > ${pidFile("leader")}; while :; do sleep 0.2; done`;

async function started(ttlMs: number, lines: string[] = [stubborn()]) {
  const victim = new Victim(join(folder, "data"), ttlMs, lines);
  victims.push(victim);
  const { guard = 0 } = await victim.says(({ attached }) => attached !== undefined);
  const workload =
    lines.length === 0 ? [] : await Promise.all(["leader", "child", "escaped"].map((name) => pidIn(pidFile(name))));
  return { victim, guard, workload };
}

test("kill -9 of the runner: the guard kills the whole workload within a second, and ends", async () => {
  const { victim, guard, workload } = await started(60_000);
  expect(workload.every(isAlive)).toBe(true);
  const beganMs = performance.now();
  victim.kill("SIGKILL");
  await Promise.all(workload.map(death));
  expect(performance.now() - beganMs).toBeLessThan(1_000);
  await death(guard);
}, 20_000);

test("SIGSTOP of the runner: the guard kills the workload at the deadline, and the runner reports it stopped when it goes on", async () => {
  const { victim, workload } = await started(1_500);
  const beganMs = performance.now();
  victim.kill("SIGSTOP");
  await Promise.all(workload.map(death));
  const tookMs = performance.now() - beganMs;
  expect(tookMs).toBeGreaterThan(900);
  expect(tookMs).toBeLessThan(1_900);
  victim.kill("SIGCONT");
  expect((await victim.says(({ lease }) => lease !== undefined)).result).toBe("RESULT_STOPPED");
}, 20_000);

test("without an answer to renewals the workload is dead at the deadline", async () => {
  const { victim, workload } = await started(1_500);
  const beganMs = performance.now();
  victim.kill("SIGUSR2");
  await Promise.all(workload.map(death));
  expect(performance.now() - beganMs).toBeLessThan(1_700);
}, 20_000);

test("kill -9 of the guard: the runner kills the workload at once and starts a new guard", async () => {
  const { victim, guard, workload } = await started(60_000);
  const beganMs = performance.now();
  process.kill(guard, "SIGKILL");
  await Promise.all(workload.map(death));
  expect(performance.now() - beganMs).toBeLessThan(1_000);
  expect((await victim.says(({ lease }) => lease !== undefined)).message).toMatch(/guard had died/);
  expect(isAlive(victim.process.pid as number)).toBe(true);
}, 20_000);

test("SIGTERM doesn't reach or end the guard", async () => {
  const { victim, guard, workload } = await started(60_000);
  process.kill(guard, "SIGTERM");
  process.kill(guard, "SIGINT");
  victim.kill("SIGKILL");
  await Promise.all(workload.map(death));
}, 20_000);

test("runner and guard both dead: the next start kills by group and marker before it attaches", async () => {
  const { victim, guard, workload } = await started(60_000);
  process.kill(guard, "SIGSTOP");
  victim.kill("SIGKILL");
  await death(victim.process.pid as number);
  process.kill(guard, "SIGKILL");
  expect(workload.every(isAlive)).toBe(true);
  await started(60_000, []);
  expect(workload.some(isAlive)).toBe(false);
}, 20_000);
