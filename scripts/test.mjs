#!/usr/bin/env node
// npm test: brings the clone up to date, sees to servers that tests need, runs all tests and closes with one line that counts them.
// Arguments go to vitest: `npm test -- services/registry`, `npm test -- --project unit`.
// With --summary FILE the counts are also written to FILE as JSON, and the closing line begins with "tests:".
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root } from "./bootstrap.mjs";

const say = (line) => console.log(line);

function takeSummary(args) {
  const at = args.indexOf("--summary");
  if (at < 0) return undefined;
  return args.splice(at, 2)[1];
}

function ensureServers() {
  const script = join(root, "scripts/install-servers.mjs");
  if (existsSync(script)) spawnSync(process.execPath, [script], { stdio: "inherit" });
}

/** Counts what vitest reports. A file that can't even be loaded has no tests to fail, so it counts itself. */
function count(reportFile, status) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (existsSync(reportFile)) {
    for (const file of JSON.parse(readFileSync(reportFile, "utf8")).testResults) {
      const states = file.assertionResults.map((test) => test.status);
      for (const state of states) counts[state === "passed" || state === "failed" ? state : "skipped"] += 1;
      if (file.status === "failed" && !states.includes("failed")) counts.failed += 1;
    }
  }
  // Errors outside any test, or no report at all.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

const args = process.argv.slice(2);
const summary = takeSummary(args);
const folder = mkdtempSync(join(tmpdir(), "berth-test-"));
let counts = { passed: 0, failed: 1, skipped: 0 };
try {
  ensureInstalled(say);
  ensureBuilt(say);
  ensureServers();
  const report = join(folder, "report.json");
  const vitest = [
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ];
  const { status } = spawnSync(process.execPath, [...vitest, ...args], { cwd: root, stdio: "inherit" });
  counts = count(report, status);
} catch (error) {
  console.error(error.message);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (summary) writeFileSync(summary, JSON.stringify(counts));
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
console.log(`${summary ? "tests: " : ""}${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
