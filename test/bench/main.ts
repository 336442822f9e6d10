import { benchDrain } from "./drain-report.js";
import { benchGrpcLayer } from "./grpc-layer.js";
import { benchLatency } from "./latency.js";
import { benchRuns } from "./runs.js";
import { benchStore } from "./store.js";

const benches: Record<string, (args: readonly string[]) => Promise<void>> = {
  drain: benchDrain,
  latency: benchLatency,
  runs: benchRuns,
  "grpc-layer": benchGrpcLayer,
  store: benchStore,
};

const [name = "", ...args] = process.argv.slice(2);
const bench = benches[name];
if (!bench) {
  console.error(
    `bench: ${name === "" ? "which one?" : `there is no ${name}.`} One of: ${Object.keys(benches).join(", ")}`,
  );
  process.exitCode = 2;
} else {
  await bench(args);
}
