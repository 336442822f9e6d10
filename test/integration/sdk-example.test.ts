import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TaskUnsuccessful } from "@berth/client";
import { createRunner } from "@berth/runner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, root, scratchFolder, startBerth } from "./harness/berth.js";
import { succeed } from "./harness/command.js";
import { readmeCode } from "./harness/readme.js";

const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path);
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

describe("the example of the SDK", () => {
  it("is the same in the README and in its file, and at most ten lines of it", () => {
    const shown = readmeCode("examples/sdk.mjs", "js");
    const file = readFileSync(join(root, "examples/sdk.mjs"), "utf8");
    // The file begins with a comment of its own, and looks into the environment for the data folder.
    const code = file.slice(file.indexOf("import")).replace('process.env.BERTH_DATA_FOLDER ?? "', '"');
    expect(shown).toBe(code);
    expect(shown.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(10);
  });

  it("runs", async () => {
    const out = await succeed(process.execPath, [join(root, "examples/sdk.mjs")], {
      cwd: folder.path,
      environment: { ...process.env, BERTH_DATA_FOLDER: berth.dataFolder },
    });
    expect(out).toMatch(/^s-\w+ \{ SUCCEEDED: 2 \}\n$/);
    const [set = ""] = out.split(" ");
    const { attempts } = await berth.client.task(`${set}/test`);
    expect(attempts).toHaveLength(1);
    let output = "";
    for await (const chunk of berth.client.logs(`${set}/test`)) output += Buffer.from(chunk.data).toString();
    expect(output).toBe(`tested with ${set}/test\n`);
  });
});

describe("the result of a task", () => {
  it("is what its handler returned, waited for, and undefined of a task that gives none", async () => {
    const { addresses, token } = berth.client.endpoints;
    const runner = createRunner({
      dataFolder: join(folder.path, "doubling"),
      pools: ["default"],
      token,
      poolManagerAddress: addresses.poolManager,
      schedulerAddress: addresses.scheduler,
      registryAddress: addresses.registry,
    });
    runner.handle("double", (task) => ({ doubled: (task.payload as { of: number }).of * 2 }));
    await runner.start();
    const { set } = await berth.client.submit([
      { id: "before", run: ["true"] },
      { id: "double", handler: "double", payload: { of: 21 }, needs: ["before"] },
    ]);
    expect(await berth.client.result<{ doubled: number }>(`${set}/double`)).toEqual({ doubled: 42 });
    expect(await berth.client.result(`${set}/before`)).toBeUndefined();
    await runner.stop();
  });

  it("is refused with state and reason of a task that didn't succeed, and of one that isn't there", async () => {
    const { set } = await berth.client.submit([
      { id: "fails", run: ["sh", "-c", "exit 3"], retry: 1 },
      { id: "skipped", run: ["true"], needs: ["fails"] },
      { id: "cancelled", handler: "nobody-has-it" },
    ]);
    const refused = (id: string) => berth.client.result(`${set}/${id}`).catch((error: unknown) => error);
    expect(await refused("fails")).toMatchObject({ name: "TaskUnsuccessful", state: "FAILED", task: `${set}/fails` });
    expect(await refused("skipped")).toMatchObject({ state: "SKIPPED", reason: expect.stringContaining("fails") });
    const waiting = refused("cancelled");
    await berth.client.cancel(`${set}/cancelled`, "no longer wanted");
    expect(await waiting).toBeInstanceOf(TaskUnsuccessful);
    expect(await waiting).toMatchObject({ state: "CANCELLED", reason: expect.stringContaining("no longer wanted") });
    expect(await refused("nothing")).toMatchObject({ reason: "NOT_FOUND" });
  });

  it("is waited for no longer than its caller wants", async () => {
    const { set } = await berth.client.submit([{ id: "held", handler: "nobody-has-it" }]);
    const stop = new AbortController();
    const waiting = berth.client.result(`${set}/held`, { signal: stop.signal });
    stop.abort(new Error("the caller went away"));
    await expect(waiting).rejects.toThrow("the caller went away");
  });
});

describe("the example of a program with its own handlers", () => {
  it("runs as the README prints it, outside the clone, with nothing added", async () => {
    const code = readmeCode("### In your own program", "js");
    const app = join(folder.path, "app.mjs");
    writeFileSync(app, code);
    mkdirSync(join(folder.path, "node_modules/@berth"), { recursive: true });
    for (const name of ["client", "runner"])
      symlinkSync(join(root, "packages", name), join(folder.path, "node_modules/@berth", name));
    const out = await succeed(process.execPath, ["app.mjs"], { cwd: folder.path });
    const said = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, shown = ""]) => shown);
    expect(out).toBe(`${said.join("\n")}\n`);
  });
});

describe("the example of embedding", () => {
  it("starts all of Berth within a program, and leaves nothing behind", async () => {
    const out = await succeed(process.execPath, [join(root, "examples/embedded.mjs")], {
      cwd: folder.path,
      environment: { ...process.env, TMPDIR: folder.path },
    });
    expect(out.trim().split("\n").sort()).toEqual(["of-1 { square: 1 }", "of-2 { square: 4 }", "of-3 { square: 9 }"]);
    expect(readdirSync(folder.path).filter((name) => name.startsWith("berth-embedded-"))).toEqual([]);
  });
});
