/** A timer that has been set. */
export interface Timer {
  /** Makes sure that the callback isn't called any more. Safe to call twice. */
  cancel(): void;
}

/** Time as an argument: whoever needs it takes a clock, so that tests and simulations can move it. */
export interface Clock {
  /** Interval clock: milliseconds since an arbitrary moment. Never goes back; the only clock that leases are measured by. */
  monoMs(): number;
  /** Wall clock: milliseconds since 1970. May jump; used where a moment is stored or shown. */
  wallMs(): number;
  /**
   * Calls back once after `delayMs` (0 and more, of any length). With `unref` the timer doesn't keep the process alive.
   */
  setTimer(delayMs: number, callback: () => void, options?: { readonly unref?: boolean }): Timer;
}

/** Longest delay that Node's own timers keep; a longer one would fire at once, so it is armed again in pieces. */
const timerPieceMsMax = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  monoMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs, callback, options) {
    let handle: NodeJS.Timeout;
    let left = Math.max(0, delayMs);
    const arm = (): void => {
      const piece = Math.min(left, timerPieceMsMax);
      left -= piece;
      handle = setTimeout(left > 0 ? arm : callback, piece);
      if (options?.unref) handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Waits for `ms` milliseconds; resolves early, without error, when `signal` aborts. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.setTimer(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}

export { ManualClock } from "./manual.js";
