import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ReasonError } from "@berth/chassis/grpc";
import type { Task } from "@berth/client";
import { registry } from "@berth/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
const secret = "d41d8cd98f00b204-never-to-be-seen";
const second = { seconds: 1n, nanos: 0 };
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path, {}, { ...process.env, API_KEY: secret, NOT_ASKED_FOR: "1" });
  await berth.client.pools.createLimit({ limit: { limit: "tenant:acme", capacity: 1n } });
  await berth.client.pools.createPool({ pool: { pool: "shut", maxConcurrency: 1n, paused: true } });
  const once = { maxAttempts: 1 };
  const shell = (line: string) => ({ kind: { $case: "command" as const, value: { shell: line } } });
  const specs: Parameters<typeof registry.TaskSpec.fromPartial>[0][] = [
    { id: "overlong", run: { ...shell("sleep 60"), startToCloseTimeout: second }, retry: once },
    { id: "silent", run: { ...shell("echo once; sleep 60"), heartbeatTimeout: second }, retry: once },
    { id: "never", run: shell("true"), pool: "shut", scheduleToStartTimeout: second },
    { id: "secret", run: { ...shell('echo "$' + "{#API_KEY} $" + '{NOT_ASKED_FOR:-unset}"'), secrets: ["API_KEY"] } },
    {
      id: "flaky",
      run: shell("test -f flag && exit 0; touch flag; exit 7"),
      retry: { maxAttempts: 2, backoff: { seconds: 0n, nanos: 100_000_000 } },
    },
    { id: "wordy", run: { ...shell("seq 100000"), logLimitBytes: 65_536n } },
    { id: "first", run: shell("sleep 0.2"), tenant: "acme" },
    { id: "next", run: shell("sleep 0.2"), tenant: "acme" },
    { id: "reader", run: { ...shell("cat; pwd"), stdin: Buffer.from("read me\n"), cwd: folder.path } },
  ];
  await berth.client.submitSpecs(specs.map(registry.TaskSpec.fromPartial), { set: "asks" });
  await berth.client.wait("asks");
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

const task = (id: string): Promise<Task> => berth.client.task(`asks/${id}`);
const kinds = async (id: string): Promise<string[]> => (await task(id)).events.map(({ kind }) => kind);
async function output(id: string): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const { data } of berth.client.logs(`asks/${id}`)) pieces.push(Buffer.from(data));
  return Buffer.concat(pieces).toString();
}

describe("a task's own wishes", () => {
  it.each(["overlong", "silent"])("a time-out ends the run as TIMED_OUT, and the history says so: %s", async (id) => {
    const { state, attempts, events } = await task(id);
    expect(state).toBe("FAILED");
    expect(attempts[0]?.outcome).toMatchObject({ result: "RESULT_TIMED_OUT" });
    const failed = events.find(({ kind }) => kind === "RunnerFailed");
    expect(failed).toMatchObject({ runner: "local", slot: expect.stringMatching(/^local\//) });
    expect(Number(failed?.duration?.seconds)).toBeGreaterThanOrEqual(1);
  });

  it("one that isn't begun in time fails without a run", async () => {
    const { state, attempts, stateReason } = await task("never");
    expect({ state, starts: attempts.filter(({ startTime }) => startTime).length }).toEqual({
      state: "FAILED",
      starts: 0,
    });
    expect(stateReason).toMatch(/start/);
  });

  it("a failure is retried after its back-off, and each attempt is in the history", async () => {
    expect(await kinds("flaky")).toEqual([
      ...["TaskCreated", "TaskReady", "TaskAssigned", "RunnerStarted", "RunnerFailed", "RetryScheduled"],
      ...["TaskReady", "TaskAssigned", "RunnerStarted", "RunnerCompleted", "TaskSucceeded"],
    ]);
    expect(await task("flaky")).toMatchObject({ attempt: 2, failureCount: 1 });
  });

  it("a secret reaches the run and nothing else; the rest of the runner's environment doesn't reach it", async () => {
    expect(await output("secret")).toBe(`${secret.length} unset\n`);
    const files = readdirSync(berth.dataFolder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    expect(files.length).toBeGreaterThan(5);
    for (const { name, parentPath } of files)
      expect(readFileSync(join(parentPath, name)).includes(secret), name).toBe(false);
    expect(berth.output()).not.toContain(secret);
  });

  it("standard input and working directory are its own", async () => {
    expect(await output("reader")).toBe(`read me\n${folder.path}\n`);
  });

  it("output beyond its bound keeps head and tail, and says how much was cut", async () => {
    const { chunks, cutBytes } = await berth.client.logService.getLogs({ task: "asks/wordy" });
    const kept = chunks.reduce((sum, { data }) => sum + data.length, 0);
    const whole = (await task("wordy")).attempts[0]?.outcome?.outputBytes;
    expect(whole).toBe(588_895n);
    expect(BigInt(kept) + cutBytes).toBe(whole);
    expect(kept).toBeLessThanOrEqual(65_536);
    const text = await output("wordy");
    expect(text.startsWith("1\n2\n3\n")).toBe(true);
    expect(text.endsWith("99999\n100000\n")).toBe(true);
  });

  it("tasks of a tenant with one place run one after the other", async () => {
    const { leases } = await berth.client.pools.listAssignments({ limit: "tenant:acme" });
    const [later, earlier] = leases;
    expect(leases.length).toBe(2);
    expect(later?.grantTime?.getTime()).toBeGreaterThanOrEqual(earlier?.releaseTime?.getTime() ?? Number.NaN);
  });
});

describe("SIGTERM", () => {
  it("ends watches saying so and exits with 0; what was kept is there after the next start", async () => {
    const watch = berth.client.registry.watchTasks({ filter: { set: "asks" } });
    let began = false;
    const ended = (async () => {
      for await (const _changes of watch) began = true;
    })().then(
      () => "ended",
      (error: unknown) => ReasonError.from(error).reason,
    );
    await until("the watch to begin", () => began);
    berth.child.kill("SIGTERM");
    expect(await ended).toBe("NOT_READY");
    expect(await berth.stop()).toBe(0);
    berth = await startBerth(folder.path);
    expect(await output("reader")).toBe(`read me\n${folder.path}\n`);
    expect(await kinds("flaky")).toContain("RetryScheduled");
  });
});
