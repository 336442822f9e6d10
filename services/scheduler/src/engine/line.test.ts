import { ManualClock } from "@berth/chassis/clock";
import { silentLogger } from "@berth/chassis/log";
import { describe, expect, it } from "vitest";
import { Line } from "./line.js";

describe("a line", () => {
  it("connects again after 100 ms, then twice as long each time, at most 2 s", async () => {
    const clock = new ManualClock();
    const atMs: number[] = [];
    const line = new Line({
      name: "registry",
      clock,
      logger: silentLogger,
      connect: async () => {
        atMs.push(clock.monoMs());
        throw new Error("nobody listens");
      },
    });
    line.start();
    await clock.advance(10_000);
    expect(atMs).toEqual([0, 100, 300, 700, 1_500, 3_100, 5_100, 7_100, 9_100]);
    expect([line.up, line.check]).toEqual([false, "nobody listens"]);
    await line.stop();
  });

  it("begins with the short wait again once the other end answered", async () => {
    const clock = new ManualClock();
    let breakOff: (() => void) | undefined;
    const atMs: number[] = [];
    const line = new Line({
      name: "registry",
      clock,
      logger: silentLogger,
      connect: async (up, signal) => {
        atMs.push(clock.monoMs());
        if (atMs.length < 3) throw new Error("nobody listens");
        up();
        await new Promise<void>((resolve) => {
          breakOff = resolve;
          signal.addEventListener("abort", () => resolve());
        });
      },
    });
    line.start();
    await clock.advance(300);
    expect([line.up, line.check]).toEqual([true, "ok"]);
    breakOff?.();
    await clock.advance(100);
    expect(atMs).toEqual([0, 100, 300, 400]);
    expect(line.up).toBe(true);
    await line.stop();
    expect(line.up).toBe(false);
  });
});
