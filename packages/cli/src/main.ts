import { processIo } from "./io.js";
import { runCli } from "./program.js";
import { cantWrite, cantWriteCode, Output } from "./terminal/write.js";

// grpc-js writes to standard error by itself; what is wrong is told by us. It reads this when it is loaded, with the first command.
process.env.GRPC_VERBOSITY ??= "NONE";

// What can't be told can't be told; the exit code says the rest.
const error = new Output(process.stderr, () => undefined);
const out = new Output(process.stdout, (failure) => error.write(`berth: ${cantWrite(failure)}\n`));

const code = await runCli(process.argv.slice(2), processIo(out, error));
// Everything is stopped by now: no forgotten timer keeps the user waiting. What was written goes out first, pipes included.
await out.flush();
await error.flush();
process.exit(code === 0 && (out.failed || error.failed) ? cantWriteCode : code);
