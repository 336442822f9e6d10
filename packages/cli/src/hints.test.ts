import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordingIo } from "./fixtures.js";
import { calledAs, hint } from "./hints.js";
import type { Places } from "./places.js";
import { runCli } from "./program.js";

describe("how people call the CLI again", () => {
  it.each<[string, NodeJS.ProcessEnv, string, string]>([
    ["by npx or an npm script", { npm_command: "exec", PATH: "/app/node_modules/.bin" }, "/x/berth", "npx berth"],
    ["from the PATH", { PATH: "/bin:/usr/local/bin" }, "/usr/local/bin/berth", "berth"],
    ["what npx would find from here", { PATH: "/bin" }, "/app/node_modules/.bin/berth", "npx berth"],
    ["out of another project", { PATH: "/bin" }, "/else/node_modules/.bin/berth", "/else/node_modules/.bin/berth"],
    ["by a path with a blank", { PATH: "/bin" }, "/my tools/berth", "'/my tools/berth'"],
    ["by node, below here", { PATH: "/bin" }, "/app/src/cli/dist/main.js", "node ./cli/dist/main.js"],
    ["by node, elsewhere", { PATH: "/bin" }, "/else/dist/main.js", "node /else/dist/main.js"],
  ])("%s", (_how, environment, script, call) => {
    expect(calledAs(environment, script, "/app/src")).toBe(call);
  });
});

describe("a command that is told", () => {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "berth-hints-"));
  beforeAll(() => {
    mkdirSync(join(folder, "berth-data"));
    process.chdir(folder);
  });
  afterAll(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });

  it.each<[string, Places, string]>([
    ["status", {}, "berth status"],
    ["status", { data: "/d" }, "berth status --data /d"],
    ["status", { data: "./berth-data" }, "berth status"],
    ["run -- echo -- x", { data: "/my data" }, "berth run --data '/my data' -- echo -- x"],
    ["status", { config: "c.yaml" }, "berth status --config c.yaml"],
    ["status", { config: "c.yaml", data: "/d" }, "berth status --data /d"],
    ["up", { config: "c.yaml", data: "/d", registry: "h:1" }, "berth up --config c.yaml --data /d"],
    [
      "watch s",
      { registry: "h:1", poolManager: "h:2", scheduler: "h:3", metrics: "h:4", tokenFile: "t" },
      "berth watch s --registry h:1 --pool-manager h:2 --scheduler h:3 --metrics h:4 --token-file t",
    ],
    ["init", { data: "/d" }, "berth init"],
    ["--help", { data: "/d" }, "berth --help"],
  ])("%s at %j is %s", (command, places, told) => {
    expect(hint(recordingIo(), command, places)).toBe(told);
  });

  it("has the flags of the call in errors, and the name of the call in examples", async () => {
    const io = recordingIo({ call: "npx berth" });
    // Port 1 is never Berth's.
    expect(await runCli(["tasks", "--registry", "127.0.0.1:1", "--data", "/nowhere/data"], io)).not.toBe(0);
    expect(await runCli(["cancel", "--data", "/d"], io)).toBe(2);
    expect(io.errors()).toContain(
      "or choose by --state, --pool, --tenant or --label: npx berth cancel SET --data /d\n",
    );
    await runCli(["run", "--help"], io);
    expect(io.out()).toContain("$ npx berth run tasks.yaml");
  });
});
