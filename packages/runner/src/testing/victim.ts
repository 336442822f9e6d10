// A runner in a process of its own, for tests that kill it: `victim.ts <data folder> <TTL ms> <shell line>...`. Its services stand in its
// own process. It says on standard output what happens; SIGUSR2 silences the pool-manager.
import { createLogger } from "@berth/chassis/log";
import { Runner } from "../runner.js";
import { StandIn, shell } from "./stand-in.js";

const [dataFolder = "", ttl = "", ...lines] = process.argv.slice(2);
const services = new StandIn(Number(ttl));
const runner = new Runner(
  {
    dataFolder,
    poolManagerAddress: "stand-in:1",
    id: "victim",
    logger: createLogger({ service: "victim", level: process.env.VICTIM_LOG ?? "silent" }),
  },
  services,
);
runner.handle("block", () => {
  for (;;);
});
process.on("SIGUSR2", () => {
  services.mute = true;
});
services.onCompletions = (completions) => {
  for (const { lease, outcome } of completions) say({ lease, result: outcome?.result, message: outcome?.message });
};
await runner.start();
await runner.whenAttached();
await services.give(...lines.map((line, index) => shell(`lease-${index}-${process.pid}`, line)));
say({ attached: runner.incarnation, guard: runner.guardPid });
setInterval(() => {}, 1_000);

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
