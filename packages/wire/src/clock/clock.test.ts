import { describe, expect, it } from "vitest";
import { delay, ManualClock, systemClock } from "./index.js";

describe("the manual clock", () => {
  it("fires timers in the order of their moments and stops at its target", async () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    clock.setTimer(20, () => fired.push(`b at ${clock.monoMs()}`));
    clock.setTimer(10, () => {
      fired.push(`a at ${clock.monoMs()}`);
      clock.setTimer(5, () => fired.push(`a+5 at ${clock.monoMs()}`));
    });
    clock.setTimer(30, () => fired.push("never")).cancel();
    await clock.advance(100);
    expect(fired).toEqual(["a at 10", "a+5 at 15", "b at 20"]);
    expect(clock.monoMs()).toBe(100);
  });

  it("steps the wall clock alone", async () => {
    const clock = new ManualClock(1_000);
    clock.stepWall(-500);
    await clock.advance(10);
    expect([clock.monoMs(), clock.wallMs()]).toEqual([10, 510]);
  });
});

describe("the system clock", () => {
  it("doesn't fire a timer at once that is longer than Node's own can be", async () => {
    let fired = false;
    const timer = systemClock.setTimer(2 ** 31, () => {
      fired = true;
    });
    await delay(systemClock, 20);
    timer.cancel();
    expect(fired).toBe(false);
  });

  it("ends a delay when its signal aborts", async () => {
    const controller = new AbortController();
    const waiting = delay(systemClock, 60_000, controller.signal);
    controller.abort();
    await waiting;
  });
});
