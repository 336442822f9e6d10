// How many no-op handler tasks a second one runner process takes, its services standing in: `bench.ts [tasks]`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runner } from "../runner.js";
import { call, StandIn } from "./stand-in.js";

const total = Number(process.argv[2] ?? 100_000);
const windowMax = 2_000;
const folder = mkdtempSync(join(tmpdir(), "berth-bench-"));
const services = new StandIn();
const runner = new Runner({ dataFolder: folder, poolManagerAddress: "stand-in:1", capacity: windowMax }, services);
runner.handle("nothing", () => undefined);
await runner.start();
await runner.whenAttached();

const works = Array.from({ length: total }, (_, index) => ({
  ...call(`lease-${index}`, "nothing"),
  slot: `runner/${index % windowMax}`,
}));
let given = 0;
let done = 0;
const beganMs = performance.now();
const beganCpu = process.cpuUsage();
await new Promise<void>((resolve) => {
  services.onCompletions = (completions) => {
    done += completions.length;
    if (done === total) resolve();
    else void more();
  };
  const more = async (): Promise<void> => {
    while (given < total && given - done <= windowMax - 500) {
      const batch = works.slice(given, given + 500);
      given += batch.length;
      await services.give(...batch);
    }
  };
  void more();
});
const seconds = (performance.now() - beganMs) / 1000;
const { user, system } = process.cpuUsage(beganCpu);
process.stdout.write(
  `${Math.round(total / seconds)} tasks a second, ${((user + system) / total).toFixed(1)} microseconds of processor each, ${runner.figures.spoolGroups} fsyncs\n`,
);
await runner.stop();
rmSync(folder, { recursive: true });
