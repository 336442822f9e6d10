#!/usr/bin/env node
// `npm run version`: makes of what .changeset/ says the next version of all packages, and closes the changelog's section of what isn't released
// under it. Needs no network. The first release has the version that the packages state, so it needs no changeset.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./bootstrap.mjs";

const heading = "## Unreleased";
const changelogPath = join(root, "CHANGELOG.md");

/** Runs a command in the clone; ends with its exit code where it fails. */
function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) console.error(error.message);
  if (status !== 0) process.exit(status ?? 1);
}

function versionOfPackages() {
  return JSON.parse(readFileSync(join(root, "packages/client/package.json"), "utf8")).version;
}

/** The changelog with its open section closed; what is wrong with it as an error. */
function closed(changelog, version) {
  const section = changelog.split(`${heading}\n`)[1]?.split(/^## /m, 1)[0];
  if (section === undefined) throw new Error(`CHANGELOG.md has no section "${heading}": there is nothing to release`);
  if (section.trim() === "") throw new Error(`"${heading}" in CHANGELOG.md is empty: write what users will notice`);
  if (changelog.includes(`\n## ${version}, `))
    throw new Error(
      `CHANGELOG.md has ${version} already: say with "npm run changeset" what kind of version comes next`,
    );
  const day = new Date().toISOString().slice(0, 10);
  return changelog.replace(`${heading}\n`, `## ${version}, ${day}\n`);
}

try {
  closed(readFileSync(changelogPath, "utf8"), "");
  run(process.execPath, join(root, "node_modules/@changesets/cli/bin.js"), "version");
  run("npm", "install", "--package-lock-only", "--ignore-scripts", "--offline");
  const version = versionOfPackages();
  writeFileSync(changelogPath, closed(readFileSync(changelogPath, "utf8"), version));
  console.log(`${version}: commit it, then tag that commit v${version}`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
