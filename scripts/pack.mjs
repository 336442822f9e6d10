#!/usr/bin/env node
// `npm run pack`: builds, and writes our packages as the tarballs that npm would publish, each with what it needs of ours, so that any folder can install
// them. `npm run pack client` writes only that package and what it needs.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt, ensureInstalled, root } from "./bootstrap.mjs";

const usage = `npm run pack [-- [PACKAGE ...] [--to FOLDER] [--json]]
  PACKAGE  such as client, runner, cli; default: all
  --to     folder for the tarballs; default: tarballs/, or tarballs/PACKAGE for some
  --json   says in JSON what each tarball holds`;

const packages = new Map();
for (const folder of ["packages", "services"])
  for (const name of readdirSync(join(root, folder))) {
    const path = join(root, folder, name, "package.json");
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    if (manifest.private !== true) packages.set(manifest.name, { name, workspace: `${folder}/${name}`, manifest });
  }

/** The package of this folder's name, and what it needs of ours. */
function withNeeds(name, found = new Set()) {
  const one = [...packages.values()].find((each) => each.name === name);
  if (one === undefined)
    throw new Error(
      `there is no package ${name}; there are ${[...packages.values()].map((each) => each.name).join(", ")}`,
    );
  if (found.has(one)) return found;
  found.add(one);
  for (const needed of Object.keys(one.manifest.dependencies ?? {}))
    if (packages.has(needed)) withNeeds(packages.get(needed).name, found);
  return found;
}

function pack() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { to: { type: "string" }, json: { type: "boolean" }, help: { type: "boolean" } },
  });
  if (values.help === true) return console.log(usage);
  const chosen = new Set();
  for (const name of positionals) withNeeds(name, chosen);
  const wanted = positionals.length === 0 ? [...packages.values()] : [...chosen];
  const usual = join(root, "tarballs", ...(positionals.length === 0 ? [] : [positionals.join("-")]));
  const folder = values.to === undefined ? usual : resolve(process.env.INIT_CWD ?? ".", values.to);
  const say = (line) => process.stderr.write(`${line}\n`);
  ensureInstalled(say);
  ensureBuilt(say);
  mkdirSync(folder, { recursive: true });
  // What an earlier version left there would be installed as well.
  if (values.to === undefined)
    for (const name of readdirSync(folder)) if (name.endsWith(".tgz")) rmSync(join(folder, name));
  const args = ["pack", "--json", "--loglevel=error", "--pack-destination", folder];
  const done = spawnSync("npm", [...args, ...wanted.flatMap(({ workspace }) => ["-w", workspace])], {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
    maxBuffer: 2 ** 26,
  });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`npm pack failed:\n${done.stdout}${done.stderr}`.trimEnd());
  if (values.json === true) return process.stdout.write(done.stdout);
  console.log(
    `${wanted.length} packages; install them in any folder: npm install ${relative(process.cwd(), folder) || "."}/*.tgz`,
  );
}

try {
  pack();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
