import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root, scratchFolder } from "./harness/berth.js";
import { type Running, start, succeed } from "./harness/command.js";
import { readmeCode } from "./harness/readme.js";
import { until } from "./harness/until.js";

// What @berth/cli, @berth/client and @berth/runner are made of.
const packages = [
  ...["contracts", "wire", "chassis", "client", "runner", "standalone", "cli"],
  ...["registry", "pool-manager", "scheduler", "metrics"],
];
/** Where the README says that the tarballs are. */
const shownFolder = "/path/to/berth/tarballs";
/** What a client has no use for: stores, buses, logs, metrics, tracing but for its port. */
const heavy = /sqlite|libsql|^pg(-|$)|postgres|^nats|pino|prom-client|^@opentelemetry\/(?!api$)/;
/** npm couldn't reach a registry, and its cache doesn't hold everything. */
const unreachable = /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENOTCACHED/;

/** What npm says of a tarball. */
interface Packed {
  readonly name: string;
  readonly files: readonly { readonly path: string }[];
}

describe("cli, client and runner, installed from tarballs outside the clone", () => {
  const scratch = scratchFolder();
  const tarballs = join(scratch.path, "tarballs");
  const app = join(scratch.path, "app");
  const slim = join(scratch.path, "slim");
  const berthCommand = join(app, "node_modules/.bin/berth");
  let packed: readonly Packed[] = [];
  let packedSlim: readonly Packed[] = [];
  let problem = "";
  let up: Running | undefined;

  beforeAll(async () => {
    for (const each of [tarballs, app, slim]) mkdirSync(each);
    packed = await pack("--to", tarballs);
    packedSlim = await pack("client", "--to", join(tarballs, "client"));
    for (const folder of [app, slim])
      writeFileSync(join(folder, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
    const [, install = ""] = /^(npm install \S+)/m.exec(readmeCode("### In any folder", "sh")) ?? [];
    const installed = [await sh(install.replace(shownFolder, tarballs), app)];
    installed.push(await sh(install.replace(shownFolder, join(tarballs, "client")), slim));
    const failed = installed.find(({ code }) => code !== 0);
    if (failed === undefined) return;
    if (!unreachable.test(failed.error)) throw new Error(failed.error);
    problem = "npm reaches no registry, and its cache doesn't hold everything";
  });
  afterAll(async () => {
    up?.child.kill("SIGTERM");
    await up?.ended;
    scratch.remove();
  });

  it("hold what a package needs, with licence and README, and nothing of tests", () => {
    const names = (some: readonly Packed[]) => some.map(({ name }) => name).sort();
    expect(names(packed)).toEqual(packages.map((name) => `@berth/${name}`).sort());
    expect(names(packedSlim)).toEqual(["@berth/client", "@berth/contracts", "@berth/wire"]);
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

  it("brings to a client no database, bus, log or tracing SDK, and it works all the same", async ({ skip }) => {
    skip(problem !== "", problem);
    expect(dependenciesIn(app).some((name) => heavy.test(name))).toBe(true);
    expect(dependenciesIn(slim).filter((name) => heavy.test(name))).toEqual([]);
    writeFileSync(join(slim, "submit.mjs"), readmeCode("examples/sdk.mjs", "js"));
    expect(await succeed(process.execPath, [join(slim, "submit.mjs")], { cwd: app })).toMatch(/ \{ SUCCEEDED: 2 \}\n$/);
  });
});

/** What `npm run pack` with these arguments has packed. */
async function pack(...args: string[]): Promise<Packed[]> {
  const packing = await start(process.execPath, ["scripts/pack.mjs", ...args, "--json"], { cwd: root }).ended;
  if (packing.code !== 0) throw new Error(packing.error);
  return Object.values(JSON.parse(packing.out) as Record<string, Packed>);
}

function sh(command: string, cwd: string) {
  const environment = { ...process.env, npm_config_prefer_offline: "true", npm_config_audit: "false" };
  return start("sh", ["-c", command], { cwd, environment }).ended;
}

/** Names of everything that is installed in a folder. */
function dependenciesIn(folder: string): string[] {
  const lock = readFileSync(join(folder, "node_modules/.package-lock.json"), "utf8");
  const { packages } = JSON.parse(lock) as { packages: Record<string, unknown> };
  return Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length));
}
