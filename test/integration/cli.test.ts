import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRunner } from "@berth/runner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, scratchFolder, startBerth } from "./harness/berth.js";
import { type Ended, type Running, start } from "./harness/command.js";
import { mostOverlapping } from "./harness/records.js";
import { until } from "./harness/until.js";

const secret = "a-value-that-nobody-may-see-7391";
const folder = scratchFolder();
const config = {
  pools: { default: { maxConcurrency: 4 }, handlers: { maxConcurrency: 2, type: "remote" as const } },
  skills: { resize: "handlers" },
  limits: { "repo:web": 1 },
};
let berth: Berth;

const environment = () => ({ ...process.env, API_KEY: secret, BERTH_DATA_FOLDER: join(folder.path, "berth-data") });
const begin = (...args: string[]): Running =>
  start(process.execPath, [cli, ...args], { cwd: folder.path, environment: environment() });
const run = (...args: string[]): Promise<Ended> => begin(...args).ended;
async function json<T>(...args: string[]): Promise<T> {
  // Before the rest: what stands behind `--` is a command's own.
  const [command = "", ...rest] = args;
  const { code, out, error } = await run(command, "--json", ...rest);
  if (code !== 0) throw new Error(`berth ${args.join(" ")} ended with ${code}: ${error}`);
  return JSON.parse(out) as T;
}
function taskFile(name: string, text: string): string {
  const file = join(folder.path, name);
  writeFileSync(file, text);
  return file;
}

beforeAll(async () => {
  berth = await startBerth(folder.path, config, environment());
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

describe("a task file by the CLI", () => {
  it("runs with env, cwd, standard input, secrets, retries and a skill; exit code 0 as all succeeded", async () => {
    const runner = createRunner({
      dataFolder: join(folder.path, "sdk-runner"),
      pools: ["handlers"],
      capacity: 1,
      token: berth.client.endpoints.token,
      poolManagerAddress: berth.client.endpoints.addresses.poolManager,
      schedulerAddress: berth.client.endpoints.addresses.scheduler,
      registryAddress: berth.client.endpoints.addresses.registry,
    });
    runner.handle("double", (task) => ({ doubled: (task.payload as { n: number }).n * 2 }));
    await runner.start();
    const file = taskFile(
      "all.yaml",
      `
name: All of it
tasks:
  - { id: env, run: 'echo "$GREETING from $(pwd)"', env: { GREETING: hello }, cwd: / }
  - { id: stdin, run: [cat], stdin: "what stood in the file" }
  - { id: secret, run: 'test "$API_KEY" = ${secret.slice(0, 10)}"\${API_KEY#??????????}" && echo "\${#API_KEY}"', secrets: [API_KEY] }
  - { id: flaky, run: 'test "$BERTH_ATTEMPT" -ge 2', retry: { attempts: 2, backoff: 10ms } }
  - { id: handled, handler: double, payload: { n: 21 }, skill: resize, needs: [env] }
`,
    );
    const { code, out, error } = await run("run", file, "--set", "all");
    await runner.stop();
    expect(`${out}${error}`).toContain("all succeeded: 5 tasks of set all");
    expect(code).toBe(0);
    expect((await run("logs", "all/env")).out).toBe("hello from /\n");
    expect((await run("logs", "all/stdin")).out).toBe("what stood in the file");
    expect((await run("logs", "all/secret")).out).toBe(`${secret.length}\n`);
    const flaky = await json<{ attempts: unknown[]; events: { kind: string }[] }>("task", "all/flaky");
    expect(flaky.attempts).toHaveLength(2);
    expect(flaky.events.map((event) => event.kind)).toEqual(
      expect.arrayContaining(["TaskCreated", "RunnerFailed", "RetryScheduled", "TaskSucceeded"]),
    );
    const text = (await run("task", "all/handled")).out;
    expect(text).toMatch(/^result +\{"doubled":42\}$/m);
    expect(text).toMatch(/^ +1 +handlers .*succeeded$/m);
  });

  it("leaves no trace of a secret's value: not in any file, log or answer", async () => {
    const files = readdirSync(berth.dataFolder, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
    expect(files.length).toBeGreaterThan(4);
    const holding = files.filter((each) => readFileSync(join(each.parentPath, each.name)).includes(secret));
    expect(holding.map((each) => each.name)).toEqual([]);
    for (const args of [
      ["task", "all/secret", "--json"],
      ["tasks", "--json"],
      ["logs", "all/secret", "--json"],
    ])
      expect((await run(...args)).out).not.toContain(secret);
    expect(berth.output()).not.toContain(secret);
  });

  it("ends with 1 where something fails; what needed it is skipped and names it; retry begins it anew", async () => {
    const file = taskFile(
      "fails.yaml",
      `
tasks:
  - { id: bad, run: "echo why >&2; exit 3", retry: 1 }
  - { id: slow, run: [sleep, "60"], timeout: 200ms, retry: 1 }
  - { id: after, run: [echo], needs: [bad] }
  - { id: last, run: [echo], needs: [after] }
`,
    );
    const { code, out } = await run("run", file, "--set", "fails");
    expect(code).toBe(1);
    expect(out).toContain("fails/after skipped - needs bad, which failed");
    expect(out).toMatch(/fails\/slow failed - .*time-out/);
    expect(out).toMatch(/ retry --set fails --failed$/m);
    expect(out).toContain("  fails/bad failed - exit code 3");
    expect(out).toContain("\n    | why\n");
    const skipped = await json<{ task: string }[]>("tasks", "--set", "fails", "--state", "skipped");
    expect(skipped.map((each) => each.task).sort()).toEqual(["fails/after", "fails/last"]);
    expect((await run("logs", "fails/bad")).error).toBe("why\n");
    expect(await json("retry", "fails/bad")).toMatchObject({ retriedCount: 3 });
    expect((await run("watch", "fails")).code).toBe(1);
    expect(await json("retry", "--failed", "--set", "fails")).toMatchObject({ retriedCount: 4 });
    await run("watch", "fails");
  });

  it("skips what needs a cancelled task, naming it", async () => {
    const file = taskFile(
      "cancelled.yaml",
      "tasks:\n  - { id: long, run: [sleep, '60'] }\n  - { id: after, run: [echo], needs: [long] }\n",
    );
    await json("submit", file, "--set", "cancelled");
    expect(await json("cancel", "cancelled/long")).toMatchObject({ cancelledCount: 1 });
    expect((await run("watch", "cancelled")).code).toBe(1);
    expect((await run("task", "cancelled/after")).out).toContain("needs long, which was cancelled");
  });
});

describe("one command by the CLI", () => {
  it("passes its output on, and tells about the task on standard error", async () => {
    const { code, out, error } = await run("run", "--pool", "default", "--", "sh", "-c", "echo out; echo err >&2");
    expect(out).toBe("out\n");
    expect(error).toMatch(/^1 task submitted as set s-\w+\n/);
    expect(error).toMatch(/^err$/m);
    expect(code).toBe(0);
  });

  it("is followed by logs -f until it ends", async () => {
    const mark = join(folder.path, "go");
    await json(
      "submit",
      "--set",
      "chatty",
      "--",
      "sh",
      "-c",
      `echo one; until [ -e ${mark} ]; do sleep 0.05; done; echo two`,
    );
    const following = begin("logs", "chatty/task", "-f");
    await until("the first line", () => following.out() === "one\n");
    writeFileSync(mark, "");
    expect(await following.ended).toMatchObject({ code: 0, out: "one\ntwo\n" });
  });

  it("goes on after one Ctrl-C, and is cancelled by two", async () => {
    const detached = begin("run", "--set", "detached", "--", "sleep", "60");
    await until("it to run", () => detached.error().includes("running"));
    detached.child.kill("SIGINT");
    expect((await detached.ended).code).toBe(130);
    const [left] = await json<{ state: string }[]>("tasks", "--set", "detached");
    expect(left?.state).toBe("STATE_RUNNING");
    await json("cancel", "detached");

    const cancelled = begin("run", "--set", "twice", "--", "sleep", "60");
    await until("it to run", () => cancelled.error().includes("running"));
    cancelled.child.kill("SIGINT");
    await until("the first to be heard", () => cancelled.error().includes("detaching"));
    cancelled.child.kill("SIGINT");
    expect((await cancelled.ended).code).toBe(1);
    const [task] = await json<{ state: string; stateReason: string }[]>("tasks", "--set", "twice");
    expect(task).toMatchObject({ state: "STATE_CANCELLED", stateReason: "cancelled by Ctrl-C" });
  });
});

describe("berth with", () => {
  it("never overlaps under a capacity of 1, waits saying who holds it, and exits with the command's code", async () => {
    const script =
      "const t = () => process.hrtime.bigint().toString(); const a = t(); setTimeout(() => { console.log(a, t()); process.exit(7) }, 700)";
    const all = [1, 2, 3].map(() => begin("with", "--limit", "repo:web", "--", process.execPath, "-e", script));
    const ended = await Promise.all(all.map((each) => each.ended));
    expect(ended.map((each) => each.code)).toEqual([7, 7, 7]);
    const runs = ended.map(({ out }, index) => {
      const [startNs = "", endNs = ""] = out.trim().split(" ");
      return { task: String(index), attempt: 1, pool: "", pid: index, startNs: BigInt(startNs), endNs: BigInt(endNs) };
    });
    expect(mostOverlapping(runs)).toBe(1);
    expect(ended.map((each) => each.error).join("")).toMatch(
      /waiting: repo:web limit full \(1 of 1 in use, held by with\/node-/,
    );
  });

  it("gives up with 75 after --wait, and refuses what can never be", async () => {
    const holder = begin("with", "--limit", "repo:web", "--", "sh", "-c", "echo in; sleep 60");
    await until("the holder to be in", () => holder.out() === "in\n");
    expect((await run("with", "--limit", "repo:web", "--wait", "300ms", "--", "true")).code).toBe(75);
    holder.child.kill("SIGINT");
    expect((await holder.ended).code).toBe(130);
    expect((await run("with", "--limit", "repo:web=2", "--", "true")).error).toContain("can never be granted");
    expect((await run("with", "--limit", "nope", "--", "true")).error).toMatch(
      / limit set nope --capacity N --create$/m,
    );
  });
});

describe("changes at run time", () => {
  it("survive a restart and win over the file, until apply, which shows the difference first", async () => {
    expect((await run("pool", "set", "default", "--max-concurrency", "7")).out).toBe(
      "pool default: 0 running, at most 7\n",
    );
    expect((await run("limit", "set", "repo:web", "--capacity", "3")).out).toBe("limit repo:web: 0 of 3 in use\n");
    expect(await berth.stop()).toBe(0);
    berth = await startBerth(folder.path, config, environment());
    const pools = await json<{ pool: string; maxConcurrency: number }[]>("pools");
    expect(pools.find((each) => each.pool === "default")?.maxConcurrency).toBe(7);
    const limits = await json<{ limit: string; capacity: number; reason: string }[]>("limits");
    expect(limits.find((each) => each.limit === "repo:web")).toMatchObject({ capacity: 3, reason: "by hand" });

    const differences = ["~ pool default: maxConcurrency 7 -> 4", "~ limit repo:web: capacity 3 -> 1"].join("\n");
    const file = join(folder.path, "berth.yaml");
    expect((await run("apply", file, "--dry-run")).out).toContain(`${differences}\n2 would be applied`);
    expect((await run("apply", file)).out).toContain(`${differences}\n2 applied`);
    expect((await run("apply", file)).out).toContain("Berth is as");
    expect(await json("apply", file)).toMatchObject({ steps: [], applied: false });
  });

  it("are shown by status, sets, pools and limits, for people and for programs", async () => {
    const status = (await run("status")).out;
    for (const words of [/^global +0 +10 /m, /^default +local-process /m, /^local +live /m])
      expect(status).toMatch(words);
    expect(await json("status")).toMatchObject({ runningCount: 0, drift: 0, queue: { queueSize: 0 } });
    expect((await run("sets")).out).toMatch(/^all +All of it +5 /m);
    expect((await json<unknown[]>("sets")).length).toBeGreaterThan(5);
    expect((await run("pools")).out).toMatch(/^handlers +remote .*resize +no runner$/m);
    expect((await run("limits")).out).toMatch(/^pool:default +0 +4 /m);
  });
});
