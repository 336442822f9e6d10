import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
    expect(out).toMatch(/^s-\w+ \{ SUCCEEDED: 2n \}\n$/);
    const [set = ""] = out.split(" ");
    const { attempts } = await berth.client.task(`${set}/test`);
    expect(attempts).toHaveLength(1);
    let output = "";
    for await (const chunk of berth.client.logs(`${set}/test`)) output += Buffer.from(chunk.data).toString();
    expect(output).toBe(`tested with ${set}/test\n`);
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
    expect(out.trim().split("\n").sort()).toEqual(['of-1 {"square":1}', 'of-2 {"square":4}', 'of-3 {"square":9}']);
    expect(readdirSync(folder.path).filter((name) => name.startsWith("berth-embedded-"))).toEqual([]);
  });
});
