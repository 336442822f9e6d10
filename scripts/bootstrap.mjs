// Brings a clone to where it can run: dependencies installed, packages built. Uses nothing but Node and npm, and costs a few
// milliseconds when there is nothing to do.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the clone. */
export const root = fileURLToPath(new URL("..", import.meta.url));

const stamps = join(root, "node_modules/.cache/berth");
const nodeMin = [20, 19];

/** Refuses a Node that is too old, naming both versions. Throws an Error whose message is for the user. */
export function ensureNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > nodeMin[0] || (major === nodeMin[0] && minor >= nodeMin[1])) return;
  throw new Error(
    `Berth needs Node ${nodeMin.join(".")} or later; this is ${process.versions.node}. Install a newer one from https://nodejs.org`,
  );
}

/**
 * Installs what package-lock.json names, if that isn't what is installed. `say` hears one line when there is something to do.
 * Throws an Error with npm's output if it fails.
 */
export function ensureInstalled(say = () => {}) {
  ensureNode();
  const lock = digest([readFileSync(join(root, "package-lock.json"))]);
  if (readStamp("installed") === lock && existsSync(join(root, "node_modules/.package-lock.json"))) return;
  if (installedByHand()) return writeStamp("installed", lock);
  say("Installing dependencies (npm ci) ...");
  // Development dependencies hold the compiler's companions and the tests, whatever NODE_ENV says.
  run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], "npm ci failed");
  writeStamp("installed", lock);
}

/** Somebody has run npm install or npm ci since the lock file was written. */
function installedByHand() {
  const marker = join(root, "node_modules/.package-lock.json");
  return existsSync(marker) && statSync(marker).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
}

/**
 * Builds the packages whose sources have changed since they were built. `say` hears one line when there is something to do.
 * Throws an Error with the compiler's output if it fails.
 */
export function ensureBuilt(say = () => {}) {
  const folders = workspaces();
  const sources = fingerprint(folders);
  const unbuilt = folders.filter((folder) => existsSync(join(folder, "src")) && !existsSync(join(folder, "dist")));
  if (unbuilt.length === 0 && readStamp("built") === sources) return;
  // The compiler believes its own notes rather than the folder: without them it writes a missing dist anew.
  for (const folder of unbuilt)
    for (const name of readdirSync(folder)) if (name.endsWith(".tsbuildinfo")) rmSync(join(folder, name));
  say("Building ...");
  run(
    process.execPath,
    [join(root, "node_modules/turbo/bin/turbo"), "run", "build", "--output-logs=errors-only", "--no-update-notifier"],
    "The build failed",
  );
  writeStamp("built", fingerprint(folders));
}

/** Compiles what lies under test/ (benchmarks, the simulator) into test/dist, after everything that it stands on. */
export function compileTests(say = () => {}) {
  ensureInstalled(say);
  ensureBuilt(say);
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", "test"], "Compiling test/ failed");
}

function workspaces() {
  const inside = (folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name));
  return [...inside("packages"), ...inside("services")].filter((folder) => existsSync(join(folder, "package.json")));
}

/** Names, sizes and times of everything that a build reads. Reading the contents would cost more than it is worth: turbo does, when this differs. */
function fingerprint(folders) {
  const settings = ["package-lock.json", "turbo.json", "tsconfig.base.json"].map((name) => join(root, name));
  const own = folders.flatMap((folder) => [
    join(folder, "package.json"),
    join(folder, "tsconfig.json"),
    ...filesUnder(join(folder, "src")),
  ]);
  const facts = [...settings, ...own].map((path) => {
    const { size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { size: -1, mtimeMs: 0 };
    return `${path}:${size}:${mtimeMs}\n`;
  });
  return digest([process.version, ...facts.sort()]);
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  // Tests aren't built.
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function run(command, args, complaint) {
  const environment = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };
  const done = spawnSync(command, args, {
    cwd: root,
    env: environment,
    encoding: "utf8",
    shell: process.platform === "win32",
    maxBuffer: 2 ** 26,
  });
  if (done.error) throw new Error(`${complaint}: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`${complaint}:\n${done.stdout}${done.stderr}`.trimEnd());
}

function digest(parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function readStamp(name) {
  const path = join(stamps, name);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

function writeStamp(name, text) {
  const path = join(stamps, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
