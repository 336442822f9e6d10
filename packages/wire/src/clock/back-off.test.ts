import { expect, it } from "vitest";
import { BackOff, ManualClock } from "./index.js";

it("a back-off waits twice as long each time, up to its bound, and begins anew once it worked", async () => {
  const clock = new ManualClock();
  const backOff = new BackOff(clock, { firstMs: 100, mostMs: 500 });
  const waited: number[] = [];
  for (const worked of [false, false, false, false, true, false]) {
    if (worked) backOff.reset();
    const beganMs = clock.monoMs();
    const { nextMs } = backOff;
    const wait = backOff.wait();
    await clock.advance(nextMs - 1);
    expect(await Promise.race([wait.then(() => "over"), Promise.resolve("waits")])).toBe("waits");
    await clock.advance(1);
    await wait;
    waited.push(clock.monoMs() - beganMs);
  }
  expect(waited).toEqual([100, 200, 400, 500, 100, 200]);
});

it("a back-off grows by its factor, and ends early with its signal", async () => {
  const backOff = new BackOff(new ManualClock(), { firstMs: 10, mostMs: 50, factor: 1.5 });
  expect([backOff.take(), backOff.take(), backOff.take()]).toEqual([10, 15, 22.5]);
  const stop = new AbortController();
  const wait = backOff.wait(stop.signal);
  stop.abort();
  await wait;
  expect(backOff.take()).toBe(50);
});
