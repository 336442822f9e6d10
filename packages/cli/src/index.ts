/** The `berth` command, for programs and tests: runs a command line against an Io and returns the exit code. */
export { type Io, processIo } from "./io.js";
export { runCli } from "./program.js";
