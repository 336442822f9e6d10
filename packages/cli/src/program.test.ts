import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { recordingIo } from "./fixtures.js";
import { runCli } from "./program.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(...argv: string[]) {
  const io = recordingIo();
  const code = await runCli(argv, io);
  return { code, out: io.out(), errors: io.errors() };
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("help", () => {
  it("lists every command, and exits 0", async () => {
    const { code, out } = await run("--help");
    expect(code).toBe(0);
    for (const command of [
      "init",
      "up",
      "run",
      "submit",
      "watch",
      "with",
      "runner",
      "status",
      "sets",
      "tasks",
      "task",
      "logs",
      "pools",
      "limits",
      "cancel",
      "retry",
      "pool",
      "limit",
      "apply",
    ])
      expect(out).toMatch(new RegExp(`^  ${command}\\b`, "m"));
  });

  it.each([
    ["init"],
    ["up"],
    ["run"],
    ["submit"],
    ["watch"],
    ["with"],
    ["runner"],
    ["status"],
    ["sets"],
    ["tasks"],
    ["task"],
    ["logs"],
    ["pools"],
    ["limits"],
    ["cancel"],
    ["retry"],
    ["pool", "set"],
    ["pool", "create"],
    ["pool", "delete"],
    ["limit", "set"],
    ["limit", "delete"],
    ["apply"],
  ])("of %s %s has an example and --json", async (...command) => {
    const { code, out } = await run(...command, "--help");
    expect(code).toBe(0);
    expect(out).toMatch(/Examples?:\n {2}\$ berth /);
    expect(out).toContain("--json");
  });
});

describe("wrong use", () => {
  it.each([
    [["tsks"], "unknown command"],
    [["tasks", "--sate", "failed"], "unknown option"],
    [["tasks", "--state", "broken"], "--state"],
    [["tasks", "--limit", "0"], '--limit: "0" is not a whole number from 1'],
    [["submit"], "give a task file, or a command"],
    [["cancel"], "name tasks (SET/TASK) or a set"],
    [["retry"], "--failed"],
    [["pool", "set", "default"], "say what to set"],
    [["pool", "set", "default", "--max-concurrency", "-1"], '--max-concurrency: "-1"'],
    [["pool", "set", "default", "--max-concurrency", "1e400"], '--max-concurrency: "1e400"'],
    [["limit", "set", "global", "--capacity", "NaN"], '--capacity: "NaN"'],
    [["with", "--limit", "a=0", "--", "true"], '--limit a: "0"'],
    [["with", "--limit", "a"], "give the command after --"],
    [["runner"], "--pool is missing"],
    [["status", "--registry", "nowhere"], "write host:port"],
    [["up", "--once"], "--demo"],
    [["up", "--demo", "/nowhere/demo.yaml"], "/nowhere/demo.yaml: there is no such file"],
  ])("%j ends with 2 and says what is wrong", async (argv, words) => {
    const { code, errors } = await run(...argv);
    expect(errors).toContain(words);
    expect(code).toBe(2);
  });

  it("says that nothing answers, where, and how to start it, at once", async () => {
    const address = `127.0.0.1:${await closedPort()}`;
    const { code, errors } = await run("status", "--registry", address);
    expect(code).toBe(1);
    expect(errors).toContain(`no Berth at ${address}`);
    expect(errors).toContain("berth up");
  });
});

describe("init", () => {
  it("writes a berth.yaml that Berth takes, and doesn't overwrite it", async () => {
    const file = join(folder, "berth.yaml");
    expect((await run("init", file)).code).toBe(0);
    const { parseYaml } = await import("@berth/chassis/config");
    const { berthSchema } = await import("@berth/standalone/config");
    const text = readFileSync(file, "utf8");
    expect(parseYaml(text, berthSchema, file).limits.global).toBe(10);
    // What is commented out must be right as well.
    const full = text.replaceAll(/^( *)# ?((?: *)[a-z][a-zA-Z:]*:( |$).*)$/gm, "$1$2");
    expect(Object.keys(parseYaml(full, berthSchema, file).pools)).toContain("heavy");
    const again = await run("init", file);
    expect(again.code).toBe(2);
    expect(again.errors).toContain("--force");
    expect((await run("init", file, "--force")).code).toBe(0);
  });
});

describe("task files", () => {
  it("are refused with line and column before anything is sent", async () => {
    const file = join(folder, "tasks.yaml");
    writeFileSync(file, "tasks:\n  - id: a\n    run: x\n    prioritty: 1\n");
    const listening = createServer();
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const { port } = listening.address() as { port: number };
    const { code, errors } = await run("submit", file, "--registry", `127.0.0.1:${port}`);
    await new Promise((resolve) => listening.close(resolve));
    expect(code).toBe(2);
    expect(errors).toContain(`${file}:4:5`);
  });
});
