import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, cli, portsOf, scratchFolder, startBerth } from "./harness/berth.js";
import { type Running, start } from "./harness/command.js";
import { until } from "./harness/until.js";

const scratch = scratchFolder();
const config = {
  pools: { default: { maxConcurrency: 4 }, images: { maxConcurrency: 2, type: "remote" as const } },
  // What a killed Berth left running is released soon after the next start.
  defaults: { heartbeatTimeout: "3s", killTime: "300ms", timerLateness: "100ms", lateResultWait: "200ms" },
};
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(scratch.path, config);
});
afterAll(async () => {
  await berth?.stop();
  scratch.remove();
});

/** The CLI in another folder, so that only its flags lead to Berth. */
const begin = (...[command = "", ...rest]: string[]): Running =>
  start(process.execPath, [cli, command, "--data", berth.dataFolder, ...rest], { cwd: "/" });

function taskFile(name: string, text: string): string {
  const file = join(scratch.path, name);
  writeFileSync(file, text);
  return file;
}

describe("berth run, where nothing runs", () => {
  it("says why in one line, and goes on when there is a runner; a runner that left isn't listed any more", async () => {
    const file = taskFile("images.yaml", "tasks:\n  - { id: one, run: [echo, hi], pool: images }\n");
    const run = begin("run", file, "--set", "stuck");
    await until("the reason", () =>
      run.error().includes("nothing runs: stuck/one waits for a runner of pool `images`"),
    );
    const runner = begin("runner", "--pool", "images", "--id", "late", "--folder", join(scratch.path, "runner"));
    const ended = await run.ended;
    expect([ended.code, ended.error.match(/nothing runs/g)]).toEqual([0, ["nothing runs"]]);
    const listed = async () => (await berth.client.pools.getStatus({})).runners.map((each) => each.runner);
    expect(await listed()).toContain("late");
    runner.child.kill("SIGINT");
    expect((await runner.ended).code).toBe(0);
    expect(await listed()).not.toContain("late");
  });
});

describe("berth run, when Berth goes away", () => {
  it("goes on when it is back: the output once and whole", async () => {
    const mark = join(scratch.path, "go");
    const script = `echo one; until [ -e ${mark} ]; do sleep 0.05; done; echo two`;
    const run = begin("run", "--set", "back", "--retry", "3", "--", "sh", "-c", script);
    await until("the first line", () => run.out() === "one\n");
    const ports = portsOf(berth);
    await berth.kill();
    await until("the break to be told", () => run.error().includes("connection lost"));
    berth = await startBerth(scratch.path, { ...config, ports });
    await until("the connection to be back", () => run.error().includes("connected again"));
    writeFileSync(mark, "");
    const { code, out, error } = await run.ended;
    expect(code).toBe(0);
    // The local runner dies with Berth: what it ran is run again.
    expect(out).toBe("one\none\ntwo\n");
    expect(error).toMatch(/^--- attempt 2 ---$/m);
  });

  it("leaves with 75 when it doesn't come back, says that the end isn't known, and how to look later", async () => {
    const mark = join(scratch.path, "begun");
    const file = taskFile("long.yaml", `tasks:\n  - { id: long, run: 'touch ${mark}; sleep 60' }\n`);
    const run = begin("run", file, "--set", "gone", "--give-up", "500ms");
    await until("it to run", () => existsSync(mark) && run.out().includes("running"));
    await berth.kill();
    const { code, error } = await run.ended;
    expect(code).toBe(75);
    expect(error).toContain("Berth has been away for 0.5s, and how the tasks went isn't known");
    // What it names can be called as it stands.
    expect(error).toContain(` watch gone --data ${berth.dataFolder}\n`);
    berth = await startBerth(scratch.path, config);
    await berth.client.cancel("gone");
  });
});
