import type { Clock, Timer } from "@berth/chassis/clock";
import { askBeforeMs, Deadline, type Instant, killBeforeMs } from "../domain/deadline.js";

/** What a watch needs. */
export interface DeadlineWatchOptions {
  readonly clock: Clock;
  now(): Instant;
  /** Longest grace that a run wants, milliseconds. */
  graceMs(): number;
  /** The deadline is that far away. */
  onDeadline(leftMs: number): void;
  /** The deadline is near: runs are to end within `graceMs`. */
  onNear(graceMs: number): void;
  /** It has passed, or will before anything could be stopped in time. Called again by whoever finds out again. */
  onPassed(): void;
}

/**
 * Keeps the deadline of one incarnation after the other: moves it with every answered renewal, says when it is near, and when it has passed.
 * One that has passed stays passed until the next incarnation begins.
 */
export class DeadlineWatch {
  private readonly options: DeadlineWatchOptions;
  private readonly deadline = new Deadline();
  private timer: Timer | undefined;
  private ttlMs = 0;
  private asked = false;
  private over = false;

  constructor(options: DeadlineWatchOptions) {
    this.options = options;
  }

  /** True if nothing may start and nothing may live. */
  get passed(): boolean {
    return this.deadline.passed(this.options.now());
  }

  /** True once it has passed in the present incarnation. */
  get expired(): boolean {
    return this.over;
  }

  /** An incarnation begins: it has no deadline until its attachment is answered. */
  begin(): void {
    this.over = false;
    this.deadline.end();
  }

  /** A request that renews for `ttlMs` was sent then, and has been answered. */
  renewed(sent: Instant, ttlMs: number): void {
    // After a pause of this process the guard may have killed everything: a deadline that has passed is never moved on.
    if (this.over || (this.deadline.stands && this.passed)) return this.expire();
    this.ttlMs = ttlMs;
    this.deadline.renewed(sent, ttlMs);
    this.asked = false;
    this.options.onDeadline(this.deadline.leftMs(this.options.now()));
    this.look();
  }

  /** It has passed. */
  expire(): void {
    this.over = true;
    this.deadline.end();
    this.options.onPassed();
  }

  /** The incarnation is over: nothing is watched until the next begins. */
  end(): void {
    this.deadline.end();
    this.timer?.cancel();
  }

  /** Looks at the deadline now and arms the next look: at the moment to ask, at the moment to kill, and once a second for suspend. */
  private look(): void {
    this.timer?.cancel();
    const leftMs = this.deadline.leftMs(this.options.now());
    const killMs = killBeforeMs(this.ttlMs);
    if (leftMs <= killMs) return this.expire();
    const askMs = Math.max(killMs, askBeforeMs(this.options.graceMs(), this.ttlMs));
    if (leftMs <= askMs && !this.asked) {
      this.asked = true;
      this.options.onNear(leftMs - killMs);
    }
    const nextMs = leftMs > askMs ? leftMs - askMs : leftMs - killMs;
    this.timer = this.options.clock.setTimer(Math.min(1_000, Math.max(1, nextMs)), () => this.look());
  }
}
