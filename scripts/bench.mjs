#!/usr/bin/env node
// `npm run bench -- NAME ...`: builds, compiles the benchmarks, and runs one.
import { compileTests, root } from "./bootstrap.mjs";

compileTests((line) => process.stderr.write(`${line}\n`));
process.chdir(root);
await import("../test/dist/bench/main.js");
