import { processIo } from "./io.js";
import { runCli } from "./program.js";

// grpc-js writes to standard error by itself; what is wrong is told by us. It reads this when it is loaded, with the first command.
process.env.GRPC_VERBOSITY ??= "NONE";

// A reader that has seen enough (`berth tasks | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const code = await runCli(process.argv.slice(2), processIo());
// Everything is stopped by now: no forgotten timer keeps the user waiting. What was written goes out first, pipes included.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
