#!/usr/bin/env node
// `npm start`: brings a clone to where it can run, then starts Berth with the example as its first work. What is done there, and how it is
// shown, is `berth up --demo`; flags behind `npm start --` are passed on (`--once`, `--data FOLDER`, `--ports free`).
import { ensureBuilt, ensureInstalled, root } from "./bootstrap.mjs";

const say = (line) => process.stderr.write(`${line}\n`);
try {
  ensureInstalled(say);
  ensureBuilt(say);
} catch (error) {
  say(error.message);
  process.exit(1);
}

const given = process.argv.slice(2);
const usual = [
  ["--config", "examples/berth.yaml"],
  ["--data", "berth-data"],
  ["--demo", "examples/demo.yaml"],
].filter(([flag]) => !given.some((each) => each === flag || each.startsWith(`${flag}=`)));
// Paths are the clone's, wherever this was called from.
process.chdir(root);
process.argv = [process.argv[0], "berth", "up", ...usual.flat(), ...given];
await import("../packages/cli/dist/main.js");
