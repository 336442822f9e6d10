import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root, scratchFolder } from "./harness/berth.js";
import { type Running, start, succeed } from "./harness/command.js";
import { readmeCode } from "./harness/readme.js";
import { until } from "./harness/until.js";

// What @berth/cli, @berth/client and @berth/runner are made of.
const workspaces = [
  ...["contracts", "wire", "chassis", "client", "runner", "standalone", "cli"].map((name) => `packages/${name}`),
  ...["registry", "pool-manager", "scheduler", "metrics"].map((name) => `services/${name}`),
];
/** npm couldn't reach a registry, and its cache doesn't hold everything. */
const unreachable = /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENOTCACHED/;

/** What npm says of a tarball. */
interface Packed {
  readonly name: string;
  readonly files: readonly { readonly path: string }[];
}

describe("cli, client and runner, installed from tarballs outside the clone", () => {
  const scratch = scratchFolder();
  const app = join(scratch.path, "app");
  const berthCommand = join(app, "node_modules/.bin/berth");
  let packed: readonly Packed[] = [];
  let problem = "";
  let up: Running | undefined;

  beforeAll(async () => {
    const tarballs = join(scratch.path, "tarballs");
    mkdirSync(tarballs);
    mkdirSync(app);
    const npm = (args: string[], cwd: string) => start("npm", [...args, "--loglevel=error"], { cwd }).ended;
    const chosen = workspaces.flatMap((each) => ["-w", each]);
    const packing = await npm(["pack", "--json", "--pack-destination", tarballs, ...chosen], root);
    if (packing.code !== 0) throw new Error(packing.error);
    packed = Object.values(JSON.parse(packing.out) as Record<string, Packed>);
    writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
    const files = readdirSync(tarballs).map((name) => join(tarballs, name));
    const installed = await npm(["install", "--prefer-offline", "--no-audit", "--no-fund", ...files], app);
    if (installed.code === 0) return;
    if (!unreachable.test(installed.error)) throw new Error(installed.error);
    problem = "npm reaches no registry, and its cache doesn't hold everything";
  });
  afterAll(async () => {
    up?.child.kill("SIGTERM");
    await up?.ended;
    scratch.remove();
  });

  it("hold what a package needs, with licence and README, and nothing of tests", () => {
    expect(packed.map(({ name }) => name).sort()).toHaveLength(workspaces.length);
    for (const { name, files } of packed) {
      const paths = files.map(({ path }) => path);
      expect(paths, name).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
      expect(paths.filter((path) => /\.test\.|\.map$|^src\/|fixtures|testing|store\/.*conformance/.test(path))).toEqual(
        [],
      );
    }
  });

  it("runs a command by the CLI, and a handler by the program that the README prints", async ({ skip }) => {
    skip(problem !== "", problem);
    expect(await succeed(berthCommand, ["--version"], { cwd: app })).toMatch(/^\d+\.\d+\.\d+\n$/);
    await succeed(berthCommand, ["init"], { cwd: app });
    up = start(berthCommand, ["up", "--ports", "free"], { cwd: app });
    await until("berth up to be ready", () => {
      if (up?.child.exitCode !== null) throw new Error(`berth up ended with ${up?.child.exitCode}: ${up?.error()}`);
      return up.out().includes("data folder");
    });
    const ran = await start(berthCommand, ["run", "--", "node", "--version"], { cwd: app }).ended;
    expect([ran.code, ran.out]).toEqual([0, `${process.version}\n`]);
    writeFileSync(join(app, "program.mjs"), readmeCode("### In your own program", "js"));
    expect(await succeed(process.execPath, ["program.mjs"], { cwd: app })).toBe("{ width: 50 }\n");
  });
});
