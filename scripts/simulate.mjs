#!/usr/bin/env node
// `npm run test:simulation -- --seeds N --from S`: builds, compiles the simulation, and runs its long form.
import { compileTests, root } from "./bootstrap.mjs";

compileTests((line) => process.stderr.write(`${line}\n`));
process.chdir(root);
await import("../test/dist/simulation/main.js");
