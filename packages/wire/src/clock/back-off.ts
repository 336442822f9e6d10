import { delay } from "./delay.js";
import type { Clock } from "./index.js";

/** The waits of a {@link BackOff}, in milliseconds. */
export interface BackOffBounds {
  /** The first of them. */
  readonly firstMs: number;
  /** The longest of them. */
  readonly mostMs: number;
  /** By what each is longer than the one before; 2 unless said. */
  readonly factor?: number;
}

/** The growing waits of whoever tries something again and again: short at first, longer up to a bound, short again once it worked. */
export class BackOff {
  private readonly clock: Clock;
  private readonly bounds: BackOffBounds;
  private waitMs: number;

  constructor(clock: Clock, bounds: BackOffBounds) {
    this.clock = clock;
    this.bounds = bounds;
    this.waitMs = bounds.firstMs;
  }

  /** The wait that comes next, in milliseconds. */
  get nextMs(): number {
    return this.waitMs;
  }

  /** Takes the next wait, for whoever waits in a way of its own; the one after it is longer. */
  take(): number {
    const { waitMs } = this;
    this.waitMs = Math.min(this.bounds.mostMs, waitMs * (this.bounds.factor ?? 2));
    return waitMs;
  }

  /** It worked: the waits begin anew. */
  reset(): void {
    this.waitMs = this.bounds.firstMs;
  }

  /** Waits; resolves early, without error, when `signal` aborts. */
  wait(signal?: AbortSignal): Promise<void> {
    return delay(this.clock, this.take(), signal);
  }
}
