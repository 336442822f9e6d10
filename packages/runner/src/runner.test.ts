import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runner } from "@berth/contracts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PermanentError } from "./handlers.js";
import type { RunnerOptions } from "./options.js";
import { createRunner, Runner } from "./runner.js";
import { call, command, duration, StandIn, shell, workOf } from "./testing/stand-in.js";
import { death, isAlive, pidIn } from "./testing/victim-process.js";

let folder = "";
let services: StandIn;
let subject: Runner;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-runner-"));
  services = new StandIn();
});
afterEach(async () => {
  services.hold = false;
  await subject?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function started(options: Partial<RunnerOptions> = {}, prepare?: (made: Runner) => void): Promise<Runner> {
  subject = new Runner(
    {
      dataFolder: join(folder, "data"),
      poolManagerAddress: "stand-in:1",
      pools: ["pool"],
      logs: { batchMs: 5 },
      ...options,
    },
    services,
  );
  prepare?.(subject);
  await subject.start();
  await subject.whenAttached();
  return subject;
}

async function outcomeOf(work: runner.Work): Promise<runner.Outcome> {
  await services.give(work);
  return services.outcome(work.lease);
}

const { SUCCEEDED, FAILED, TIMED_OUT, STOPPED, NOT_STARTED } = runner.Outcome_Result;

test("a program runs without a shell, its output and exit code are reported", async () => {
  await started();
  const outcome = await outcomeOf(command("a", ["printf", "%s", "$HOME;"]));
  expect(outcome).toMatchObject({ result: SUCCEEDED, exitCode: 0, signal: "", outputBytes: 6n });
  expect(outcome.startTime?.getTime()).toBeLessThanOrEqual(outcome.endTime?.getTime() ?? 0);
  expect(services.outputOf("set/a")).toBe("$HOME;");
});

test("a shell runs only where the task asks for one; streams are told apart, standard input is written and closed", async () => {
  await started();
  expect(await outcomeOf(shell("a", "cat; echo oops >&2; exit 3", { stdin: Buffer.from("in") }))).toMatchObject({
    result: FAILED,
    exitCode: 3,
    message: "exit code 3",
  });
  expect(services.outputOf("set/a")).toBe("in");
  expect(services.outputOf("set/a", true)).toBe("oops\n");
});

test("a signal that nobody here sent is a failure that names it", async () => {
  await started();
  expect(await outcomeOf(shell("a", "kill -SEGV $$"))).toMatchObject({
    result: FAILED,
    signal: "SIGSEGV",
    exitCode: undefined,
  });
});

test("a run gets the allow-list, its own variables, its secrets and Berth's, and nothing else", async () => {
  mkdirSync(join(folder, "secrets"));
  writeFileSync(join(folder, "secrets", "FROM_FILE"), "file value\n");
  await started({
    environment: { PATH: process.env.PATH, LC_TIME: "C", HOME: "/h", AWS_KEY: "no", WANTED: "own", OTHER: "no" },
    secretsFolder: join(folder, "secrets"),
  });
  await outcomeOf(
    command("a", ["env"], { env: { HOME: "/mine", BERTH_TASK: "forged" }, secrets: ["WANTED", "FROM_FILE"] }),
  );
  const lines = services.outputOf("set/a").trim().split("\n").sort();
  expect(lines.map((line) => line.split("=")[0])).toEqual([
    "BERTH_ATTEMPT", "BERTH_LEASE", "BERTH_POOL", "BERTH_RESULT", "BERTH_RUNNER", "BERTH_RUNNER_INCARNATION", "BERTH_SLOT", "BERTH_TASK", "BERTH_TOKEN", "FROM_FILE", "HOME", "LC_TIME", "PATH", "WANTED",
  ]); // biome-ignore format: a list of names
  expect(lines).toEqual(
    expect.arrayContaining(["BERTH_TASK=set/a", "HOME=/mine", "WANTED=own", "FROM_FILE=file value"]),
  );
});

test.each([
  ["a missing secret", command("a", ["true"], { secrets: ["NOPE_KEY"] }), /"NOPE_KEY"/],
  ["a secret name that is a path", command("a", ["true"], { secrets: ["../runner-id"] }), /runner-id/],
  ["a missing program", command("a", ["no-such-program", "x"]), /program no-such-program isn't there/],
  ["a program that may not be executed", command("a", ["/etc/passwd"]), /may not be executed/],
  ["a missing directory", command("a", ["true"], { cwd: "/no/such/folder" }), /\/no\/such\/folder/],
  ["a NUL byte", command("a", ["echo", "a\0b"]), /NUL/],
  ["nothing to run", workOf("a", {}), /names no program/],
])("%s: NOT_STARTED for good, with a message that names it", async (_what, work, message) => {
  await started({ secretsFolder: folder });
  const outcome = await outcomeOf(work);
  expect(outcome).toMatchObject({ result: NOT_STARTED, permanent: true, startTime: undefined });
  expect(outcome.message).toMatch(message);
});

test("what a run leaves behind dies with it: its group, and what went into a session of its own", async () => {
  await started();
  const file = (name: string): string => join(folder, name);
  const outcome = await outcomeOf(
    shell(
      "a",
      `sleep 100 & echo $! > ${file("group")}; setsid sleep 100 & echo $! > ${file("session")}; sh -c 'setsid sh -c "echo \\$\\$ > ${file("deep")}; sleep 100" &'; while [ ! -s ${file("deep")} ]; do sleep 0.01; done`,
    ),
  );
  expect(outcome.result).toBe(SUCCEEDED);
  for (const name of ["group", "session", "deep"]) expect(isAlive(await pidIn(file(name)))).toBe(false);
});

test("a revoked run gets SIGTERM, then SIGKILL after its grace, and ends as STOPPED; repeats don't prolong the grace", async () => {
  services.ttlMs = 600;
  await started();
  const pidFile = join(folder, "pid");
  const work = shell("a", `trap "echo term" TERM; echo $$ > ${pidFile}; while :; do sleep 0.05; done`, {
    killGrace: duration(400),
  });
  await services.give(work);
  const pid = await pidIn(pidFile);
  const beganMs = performance.now();
  services.revoke({ lease: "a", token: work.token, reason: "cancelled by Ann" });
  expect(await services.outcome("a")).toMatchObject({
    result: STOPPED,
    signal: "SIGKILL",
    message: "cancelled by Ann",
  });
  const tookMs = performance.now() - beganMs;
  expect(tookMs).toBeGreaterThan(350);
  expect(tookMs).toBeLessThan(1_500);
  expect(isAlive(pid)).toBe(false);
  expect(services.outputOf("set/a")).toMatch(/term/);
});

test("a lease that is revoked before its work comes is never started", async () => {
  await started();
  const work = shell("a", `touch ${join(folder, "started")}`);
  services.revoke({ lease: "a", token: work.token, reason: "" });
  expect(await services.outcome("a")).toMatchObject({ result: NOT_STARTED, permanent: false });
  await services.give(work);
  await outcomeOf(shell("b", "true"));
  expect(() => readFileSync(join(folder, "started"))).toThrow();
});

test("work that comes twice runs once, also after it has been confirmed", async () => {
  await started();
  const work = shell("a", `echo x >> ${join(folder, "runs")}`);
  await services.give(work, work);
  await services.outcome("a");
  await outcomeOf(shell("b", "true"));
  await services.give(work, { ...work, lease: "older lease of the same slot" });
  await outcomeOf(shell("c", "true"));
  expect(readFileSync(join(folder, "runs"), "utf8")).toBe("x\n");
});

test("start-to-close and heartbeat time-outs stop a run as TIMED_OUT", async () => {
  await started();
  expect(await outcomeOf(command("a", ["sleep", "100"], { startToCloseTimeout: duration(100) }))).toMatchObject({
    result: TIMED_OUT,
    signal: "SIGTERM",
  });
  const chatty = await outcomeOf(
    shell("b", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; sleep 100", { heartbeatTimeout: duration(400) }),
  );
  expect(chatty).toMatchObject({ result: TIMED_OUT, outputBytes: 12n });
  expect(chatty.message).toMatch(/silent/);
});

test("output beyond the limit loses its middle, and doesn't block the run", async () => {
  await started();
  const outcome = await outcomeOf(
    shell(
      "a",
      "i=0; while [ $i -lt 40 ]; do echo line $i; head -c 100000 /dev/zero; i=$((i+1)); done; echo; echo the end",
      { logLimitBytes: 20_000n },
    ),
  );
  expect(outcome.result).toBe(SUCCEEDED);
  expect(outcome.outputBytes).toBeGreaterThan(4_000_000n);
  const text = services.outputOf("set/a");
  expect(text.startsWith("line 0\n")).toBe(true);
  expect(text.endsWith("\nthe end\n")).toBe(true);
  expect(services.chunks.every(({ data }) => data.length <= 65_536)).toBe(true);
});

test("runs that live on are reported as begun, in one message", async () => {
  await started();
  await services.give(command("a", ["sleep", "100"]), command("b", ["sleep", "100"]), command("c", ["true"]));
  await services.until(() => services.starts.length >= 2);
  expect(services.starts.map(({ lease }) => lease)).toEqual(expect.arrayContaining(["a", "b"]));
});

test("a handler gets its task, and its result, progress, log and errors are reported", async () => {
  await started({}, (made) => {
    made
      .handle<{ n: number }>("double", (task, context) => {
        context.progress(0.5, "half");
        context.log(`attempt ${context.attempt} of ${task.task}`);
        return { n: task.payload.n * 2 };
      })
      .handle("fail", async () => {
        throw new TypeError("bad\nnews");
      })
      .handle("hopeless", () => {
        throw new PermanentError("never");
      })
      .handle("huge", () => "x".repeat(300_000));
  });
  const outcome = await outcomeOf(call("a", "double", { n: 21 }));
  expect(outcome).toMatchObject({ result: SUCCEEDED, exitCode: undefined });
  expect(JSON.parse(outcome.resultJson.toString())).toEqual({ n: 42 });
  expect(services.outputOf("set/a")).toBe("attempt 1 of set/a\n");
  expect(services.progress).toEqual([{ task: "set/a", attempt: 1, fraction: 0.5, message: "half" }]);
  expect(await outcomeOf(call("b", "fail"))).toMatchObject({
    result: FAILED,
    message: "TypeError: bad news",
    permanent: false,
  });
  expect(await outcomeOf(call("c", "hopeless"))).toMatchObject({ result: FAILED, permanent: true });
  expect((await outcomeOf(call("d", "huge"))).message).toMatch(/262144/);
});

test("a revoked or silent handler gets its AbortSignal", async () => {
  await started({}, (made) => {
    made.handle(
      "wait",
      (_task, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
  });
  expect(await outcomeOf(call("a", "wait", null, { heartbeatTimeout: duration(50) }))).toMatchObject({
    result: TIMED_OUT,
  });
  const work = call("b", "wait");
  await services.give(work);
  await services.until(() => services.starts.length > 0);
  services.revoke({ lease: "b", token: work.token, reason: "no more" });
  expect(await services.outcome("b")).toMatchObject({ result: STOPPED, message: "no more" });
});

test("a broken stream is opened again under the same incarnation, with everything that isn't confirmed", async () => {
  await started();
  services.hold = true;
  await services.give(command("a", ["true"]), command("b", ["sleep", "100"]));
  await services.until(() => services.starts.length > 0);
  await expect.poll(() => subject.figures.outcomes).toBe(1);
  services.hold = false;
  services.breakStream();
  await services.until(() => services.attachments.length === 2);
  const [first, second] = services.attachments;
  expect(second?.incarnation).toBe(first?.incarnation);
  expect(second?.inventory.map(({ lease, state }) => [lease, state]).sort()).toEqual([
    ["a", runner.LeaseReport_State.ENDED],
    ["b", runner.LeaseReport_State.RUNNING],
  ]);
  expect(await services.outcome("a")).toMatchObject({ result: SUCCEEDED });
});

test("a refused incarnation kills everything, and a new one attaches with the outcomes", async () => {
  services.ttlMs = 600;
  await started();
  const pidFile = join(folder, "pid");
  await services.give(shell("a", `trap "" TERM; echo $$ > ${pidFile}; while :; do sleep 0.05; done`));
  const pid = await pidIn(pidFile);
  services.refuse = true;
  await services.until(() => services.attachments.length === 2);
  const [first, second] = services.attachments;
  expect(isAlive(pid)).toBe(false);
  expect(second?.incarnation).not.toBe(first?.incarnation);
  expect(second?.inventory.map(({ lease, outcome }) => [lease, outcome?.result])).toEqual([["a", STOPPED]]);
});

test("at the deadline everything is dead, and when the pool-manager answers again a new incarnation attaches", async () => {
  services.ttlMs = 600;
  await started();
  const pidFile = join(folder, "pid");
  await services.give(shell("a", `trap "" TERM; echo $$ > ${pidFile}; while :; do sleep 0.05; done`));
  const pid = await pidIn(pidFile);
  services.mute = true;
  expect(await death(pid)).toBeLessThan(700);
  services.mute = false;
  await services.until(() => services.attachments.length >= 2);
  expect(services.attachments[1]?.incarnation).not.toBe(services.attachments[0]?.incarnation);
  expect(await services.outcome("a")).toMatchObject({ result: STOPPED });
}, 15_000);

test("unconfirmed outcomes survive the process and are sent by the next one", async () => {
  await started();
  services.hold = true;
  await services.give(command("a", ["sh", "-c", "exit 7"]));
  await expect.poll(() => subject.figures.outcomes).toBe(1);
  await subject.stop();
  services.hold = false;
  await started();
  expect(await services.outcome("a")).toMatchObject({ result: FAILED, exitCode: 7 });
  await expect.poll(() => subject.figures.held).toBe(0);
}, 15_000);

test("draining refuses new work without spending an attempt and ends when all is confirmed; stopping detaches", async () => {
  await started();
  const go = join(folder, "go");
  await services.give(shell("a", `while [ ! -e ${go} ]; do sleep 0.02; done`));
  await services.until(() => services.starts.length > 0);
  const drained = subject.drain();
  await services.until(() => services.renewals.at(-1)?.draining === true);
  expect(await outcomeOf(command("b", ["true"]))).toMatchObject({ result: NOT_STARTED, permanent: false });
  writeFileSync(go, "");
  await drained;
  expect(subject.figures).toMatchObject({ held: 0, applied: 2 });
  await subject.stop();
  await subject.stop();
  expect(services.detached).toBe(1);
});

test("stopping stops the runs and reports them", async () => {
  await started();
  await services.give(command("a", ["sleep", "100"]));
  await services.until(() => services.starts.length > 0);
  await subject.stop();
  expect(await services.outcome("a")).toMatchObject({ result: STOPPED, message: "the runner is stopping" });
});

test("with too little space on the disk no work is started, and the health says so", async () => {
  await started({ reserveBytes: Number.MAX_SAFE_INTEGER });
  expect(subject.health).toMatchObject({ ready: false });
  expect(subject.health.checks.disk).toMatch(/bytes free/);
  expect(await outcomeOf(command("a", ["true"]))).toMatchObject({ result: NOT_STARTED, permanent: false });
  await services.until(() => services.renewals.some(({ draining }) => draining));
});

test("a second runner on the data folder is refused, naming the folder", async () => {
  await started();
  const second = new Runner({ dataFolder: join(folder, "data"), poolManagerAddress: "stand-in:1" }, new StandIn());
  await expect(second.start()).rejects.toThrow(/data is in use/);
});

test("bad options are refused together, each with field, value and bound", () => {
  const bad = { dataFolder: folder, poolManagerAddress: "nowhere", id: "../x", pools: ["UPPER"], capacity: 0 };
  expect(() => createRunner(bad)).toThrow(
    /poolManagerAddress: "nowhere"[\s\S]*id: "\.\.\/x"[\s\S]*pools\[0\]: "UPPER"[\s\S]*capacity: 0 must be a whole number from 1 to 10000/,
  );
});

test("the id is made once and kept", async () => {
  const { id } = await started();
  await subject.stop();
  expect((await started()).id).toBe(id);
});

test("work can be handed over by the program itself", async () => {
  await started();
  const outcome = await subject.accept(command("a", ["sh", "-c", "exit 4"]));
  expect(outcome).toMatchObject({ result: FAILED, exitCode: 4 });
  expect(() => subject.accept(command("a", ["true"]))).toThrow(/received or refused before/);
});

test("tens of thousands of small handler tasks share fsyncs and messages", async () => {
  const total = 20_000;
  let done = 0;
  let messages = 0;
  await started({ capacity: 1_000 }, (made) => made.handle("nothing", () => undefined));
  const beganMs = performance.now();
  const all = new Promise<void>((resolve) => {
    services.onCompletions = (completions) => {
      done += completions.length;
      messages += 1;
      if (done === total) resolve();
    };
  });
  for (let at = 0; at < total; at += 500)
    await services.give(...Array.from({ length: 500 }, (_, index) => call(`t${at + index}`, "nothing")));
  await all;
  const perSecond = Math.round((total / (performance.now() - beganMs)) * 1000);
  expect(subject.figures).toMatchObject({ outcomes: total });
  expect(messages).toBeLessThan(total / 100);
  expect(perSecond).toBeGreaterThan(2_000);
  if (process.env.BERTH_BENCH)
    process.stdout.write(`${perSecond} handler tasks a second, ${subject.figures.spoolGroups} fsyncs\n`);
}, 30_000);
