import type { Retry } from "./task.js";

/** Largest share by which a wait is longer or shorter than its formula. */
export const jitterShare = 0.1;

/**
 * Wait before the next attempt, in whole milliseconds: `min(max, backoff * multiplier^(failures - 1))`, plus or minus up to 10 % by a
 * hash of task and attempt. The same task and attempt always wait the same, so a replay decides the same.
 */
export function backoffMs(retry: Retry, failures: number, key: string, attempt: number): number {
  const plain = Math.min(retry.maxBackoffMs, retry.backoffMs * retry.multiplier ** (failures - 1));
  const jitter = (hash(`${key}#${attempt}`) * 2 - 1) * jitterShare;
  return Math.max(0, Math.round(plain * (1 + jitter)));
}

/** Wait before an attempt that follows the `losses`th lost one: none, then 1 s, doubling up to 60 s. Many losses mean that the task kills its runners, or that these are starved: neither gets better by haste. */
export function lossWaitMs(losses: number): number {
  return losses <= 1 ? 0 : Math.min(60_000, 1_000 * 2 ** (losses - 2));
}

/** Wait before an attempt that follows `idle` attempts that ended without a result and spent no retry: none, then 100 ms, doubling up to 30 s. */
export function idleWaitMs(idle: number): number {
  return idle <= 1 ? 0 : Math.min(30_000, 100 * 2 ** (idle - 2));
}

/** FNV-1a with a final mix, as a number from 0 to 1. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  value = Math.imul(value ^ (value >>> 12), 0x297a2d39);
  return ((value ^ (value >>> 15)) >>> 0) / 0xffffffff;
}
