import { type Clock, delay } from "@berth/chassis/clock";

/** Waits for a promise, at most `ms`. True if it settled in time. */
export async function within(clock: Clock, what: Promise<unknown>, ms: number): Promise<boolean> {
  const enough = new AbortController();
  const done = await Promise.race([what.then(() => true), delay(clock, ms, enough.signal).then(() => false)]);
  enough.abort();
  return done;
}
