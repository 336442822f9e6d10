import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import { Stopwatch, slowdown } from "./slowdown.js";

it("is at least twice as much beside busy loops as there are processors for, and never below 1", async () => {
  expect(slowdown()).toBeGreaterThanOrEqual(1);
  const script = "console.log('on'); for (;;);";
  const loops: ChildProcess[] = Array.from({ length: 4 * availableParallelism() }, () =>
    spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] }),
  );
  await Promise.all(loops.map(({ stdout }) => once(stdout as NonNullable<typeof stdout>, "data")));
  const samples = Array.from({ length: 10 }, slowdown);
  for (const loop of loops) loop.kill("SIGKILL");
  expect(Math.max(...samples)).toBeGreaterThan(2);
});

it("makes time shorter, never longer", () => {
  const beganMs = performance.now();
  const watch = new Stopwatch();
  const first = watch.lap();
  expect(watch.lap()).toBeGreaterThanOrEqual(first);
  expect(watch.lap()).toBeLessThanOrEqual(performance.now() - beganMs);
});
