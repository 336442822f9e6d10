#!/usr/bin/env node
// Everything that must hold before a change lands: all tests, then lint and format, types, the protos and their generated code, unused code. Each
// check counts as one, beside the tests, in the single line `N passed, N failed` at the end. Exit code 0 only if nothing failed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./bootstrap.mjs";

const scratch = mkdtempSync(join(tmpdir(), "berth-check-"));
const counts = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command in the clone; keeps its output. */
function quietly(command, ...args) {
  const environment = { ...process.env, TURBO_TELEMETRY_DISABLED: "1" };
  const done = spawnSync(command, args, { cwd: root, env: environment, encoding: "utf8", maxBuffer: 2 ** 26 });
  return {
    ok: done.status === 0,
    output: `${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}`.trim(),
  };
}

const tool = (path, ...args) => quietly(process.execPath, join(root, "node_modules", path), ...args);
const buf = (...args) => quietly(join(root, "node_modules/.bin/buf"), ...args);
const git = (...args) => quietly("git", ...args);

/** All tests. A skipped one has not been shown to hold: where its server is there, or could be, that is a failure. */
function tests() {
  const summary = join(scratch, "tests.json");
  spawnSync(process.execPath, [join(root, "scripts/test.mjs"), "--summary", summary], { cwd: root, stdio: "inherit" });
  const found = existsSync(summary) ? JSON.parse(readFileSync(summary, "utf8")) : { passed: 0, failed: 1, skipped: 0 };
  if (found.skipped > 0 && (serversAreThere() || serversCanBeInstalled())) {
    console.log(`FAILED   ${found.skipped} tests were skipped although what they need is here or can be installed`);
    found.failed += found.skipped;
    found.skipped = 0;
  }
  for (const name of Object.keys(counts)) counts[name] += found[name];
}

function serversAreThere() {
  const script = join(root, "scripts/install-servers.mjs");
  return !existsSync(script) || quietly(process.execPath, script, "--check").ok;
}

function serversCanBeInstalled() {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
}

/** Compares the protos with those of the commit before; on a branch, with where it left main. */
function breaking() {
  const head = git("rev-parse", "HEAD").output;
  const fork = git("merge-base", "main", "HEAD");
  const base = fork.ok && fork.output !== head ? fork.output : "HEAD~1";
  if (!git("cat-file", "-e", `${base}:proto`).ok) return "there is no earlier commit with proto/ to compare with";
  const before = join(scratch, "before");
  const archive = join(scratch, "before.tar");
  mkdirSync(before);
  const unpacked =
    git("archive", "-o", archive, base, "proto", "buf.yaml").ok && quietly("tar", "-xf", archive, "-C", before).ok;
  return unpacked ? buf("breaking", "--against", before) : { ok: false, output: `can't read the protos of ${base}` };
}

const checks = [
  ["lint and format", () => tool("@biomejs/biome/bin/biome", "ci", "--colors=off")],
  ["types", () => tool("typescript/bin/tsc", "-b", "tsconfig.json")],
  ["types of the tests beside the sources", () => tool("typescript/bin/tsc", "-p", "tsconfig.tests.json")],
  ["proto lint", () => buf("lint")],
  // The interfaces of gRPC's own services are kept as they were published.
  ["proto format", () => buf("format", "-d", "--exit-code", "--path", "proto/berth")],
  ["generated code is up to date", () => quietly(process.execPath, join(root, "scripts/generate.mjs"), "--check")],
  ["protos break no caller", breaking],
  ["no unused code or dependencies", () => tool("knip/bin/knip.js", "--no-progress", "--no-config-hints")],
];

try {
  tests();
  for (const [name, check] of checks) {
    const outcome = check();
    if (typeof outcome === "string") {
      counts.skipped += 1;
      console.log(`skipped  ${name}: ${outcome}`);
    } else {
      counts[outcome.ok ? "passed" : "failed"] += 1;
      console.log(outcome.ok ? `ok       ${name}` : `FAILED   ${name}\n${outcome.output}`);
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
