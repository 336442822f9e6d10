import { ManualClock } from "@berth/chassis/clock";
import { silentLogger } from "@berth/chassis/log";
import { runner } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { type RunSource, Runs } from "./runs.js";

const runOf = (task: string, bytes = 0): runner.Run =>
  runner.Run.fromPartial({ kind: { $case: "command", value: { argv: ["echo", task] } }, stdin: Buffer.alloc(bytes) });
const clock = new ManualClock();

function runsFrom(source: RunSource["listRuns"], cacheBytes = 1_000_000) {
  return new Runs({ source: { listRuns: source }, clock, logger: silentLogger, cacheBytes });
}
const taken = (runs: Runs, task: string) => new Promise<runner.Run | undefined>((resolve) => runs.take(task, resolve));

describe("what to run", () => {
  it("is fetched ahead in batches of at most 500 and then there at once", async () => {
    const batches: number[] = [];
    const runs = runsFrom(async (tasks) => {
      batches.push(tasks.length);
      return tasks.map((task) => ({ task, run: runOf(task) }));
    });
    runs.prefetch(Array.from({ length: 1_200 }, (_, index) => `s/t${index}`));
    expect(batches).toEqual([500, 500, 200]);
    await clock.advance(0);
    let there: runner.Run | undefined;
    runs.take("s/t7", (run) => {
      there = run;
    });
    expect(there).toEqual(runOf("s/t7"));
    runs.take("s/t8", () => undefined);
    expect(batches).toHaveLength(3);
  });

  it("is asked for again where an answer was cut off, and missing where the task doesn't exist", async () => {
    const runs = runsFrom(async (tasks) =>
      tasks
        .filter((task) => task !== "s/gone")
        .slice(0, 1)
        .map((task) => ({ task, run: runOf(task) })),
    );
    const found = await Promise.all(["s/a", "s/gone", "s/b"].map((task) => taken(runs, task)));
    expect(found.map((run) => run !== undefined)).toEqual([true, false, true]);
  });

  it("is asked for again after a failure, as long as somebody waits for it", async () => {
    let calls = 0;
    const runs = runsFrom(async (tasks) => {
      if (++calls === 1) throw new Error("away");
      return tasks.map((task) => ({ task, run: runOf(task) }));
    });
    const waiting = taken(runs, "s/a");
    await clock.advance(200);
    expect(await waiting).toEqual(runOf("s/a"));
    expect(calls).toBe(2);
  });

  it("is kept up to a bound of bytes, the newest longest, and not longer than until the hand-out", async () => {
    const asked: string[] = [];
    const runs = runsFrom(async (tasks) => {
      asked.push(...tasks);
      return tasks.map((task) => ({ task, run: runOf(task, 1_000) }));
    }, 2_500);
    runs.prefetch(["s/a", "s/b", "s/c"]);
    await clock.advance(0);
    expect(runs.cachedBytes).toBeLessThanOrEqual(2_500);
    await taken(runs, "s/c");
    await taken(runs, "s/a");
    expect(asked).toEqual(["s/a", "s/b", "s/c", "s/a"]);
    runs.forget("s/b");
    expect(runs.cachedBytes).toBe(0);
  });
});
