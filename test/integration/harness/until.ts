import { Stopwatch } from "@berth/testkit";

const lookMs = 20;
/** How often it is looked how slow the machine is, which takes some computing itself. */
const lapMs = 1_000;

/**
 * Waits until `condition` holds; fails after `withinMs` saying what it waited for. Returns how long it took. Both are milliseconds of a machine
 * that has time for us: beside busy loops it waits as many times longer as they make computing slower.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<number> {
  const watch = new Stopwatch();
  let nextLapMs = performance.now() + lapMs;
  while (!(await condition())) {
    if (performance.now() >= nextLapMs) {
      if (watch.lap() > withinMs) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
      nextLapMs = performance.now() + lapMs;
    }
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  return Math.round(watch.lap());
}
