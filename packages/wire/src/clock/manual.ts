import type { Clock, Timer } from "./index.js";

interface Waiting {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private nowMonoMs = 0;
  private nowWallMs: number;
  private nextOrder = 0;
  private readonly waiting = new Set<Waiting>();

  constructor(startWallMs = Date.UTC(2026, 0, 1)) {
    this.nowWallMs = startWallMs;
  }

  /** Interval clock: moves only with `advance`. */
  monoMs(): number {
    return this.nowMonoMs;
  }

  /** Wall clock, moved along with the interval clock. */
  wallMs(): number {
    return this.nowWallMs;
  }

  /** Calls back once the clock was moved so far. */
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer: Waiting = { dueMs: this.nowMonoMs + Math.max(0, delayMs), order: this.nextOrder++, callback };
    this.waiting.add(timer);
    return { cancel: () => void this.waiting.delete(timer) };
  }

  /** Moves both clocks by `ms`, calling due timers in the order of their moments and letting promises settle after each. */
  async advance(ms: number): Promise<void> {
    const targetMs = this.nowMonoMs + ms;
    await settle();
    for (let due = this.firstDueBy(targetMs); due; due = this.firstDueBy(targetMs)) {
      this.waiting.delete(due);
      this.moveTo(Math.max(due.dueMs, this.nowMonoMs));
      due.callback();
      await settle();
    }
    this.moveTo(targetMs);
    await settle();
  }

  /** Moves the wall clock alone, as an administrator or a time service would. */
  stepWall(ms: number): void {
    this.nowWallMs += ms;
  }

  private moveTo(monoMs: number): void {
    this.nowWallMs += monoMs - this.nowMonoMs;
    this.nowMonoMs = monoMs;
  }

  private firstDueBy(targetMs: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const timer of this.waiting) {
      if (timer.dueMs > targetMs) continue;
      if (!first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order))
        first = timer;
    }
    return first;
  }
}

/** Lets everything that is only waiting for resolved promises run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
