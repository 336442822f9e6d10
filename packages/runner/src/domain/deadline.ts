/** One moment on the two interval clocks of a host. */
export interface Instant {
  /** Interval clock, milliseconds. Stands still while the host is suspended. */
  readonly monoMs: number;
  /** Clock that counts suspend, milliseconds; undefined where there is none. */
  readonly bootMs: number | undefined;
}

/**
 * Until when the session's runs may live. Every answered renewal moves it to the moment the renewal was SENT plus the TTL, never back. It
 * has passed if either clock says so: the interval clock alone would sleep through a suspend.
 */
export class Deadline {
  private sent: Instant | undefined;
  private ttlMs = 0;

  /** A renewal (or attachment) that was sent at `sent` has been answered. */
  renewed(sent: Instant, ttlMs: number): void {
    if (this.sent && sent.monoMs <= this.sent.monoMs && ttlMs === this.ttlMs) return;
    this.sent = sent;
    this.ttlMs = ttlMs;
  }

  /** No session: nothing may run. */
  end(): void {
    this.sent = undefined;
  }

  /** True if there is a deadline, passed or not. */
  get stands(): boolean {
    return this.sent !== undefined;
  }

  /** Milliseconds left; 0 if it has passed or there is none. */
  leftMs(now: Instant): number {
    if (!this.sent) return 0;
    const byMono = this.sent.monoMs + this.ttlMs - now.monoMs;
    const byBoot =
      this.sent.bootMs === undefined || now.bootMs === undefined ? byMono : this.sent.bootMs + this.ttlMs - now.bootMs;
    return Math.max(0, Math.min(byMono, byBoot));
  }

  /** True if nothing may run. Never true for a NaN by mistake: what isn't clearly before the deadline has passed. */
  passed(now: Instant): boolean {
    return !(this.leftMs(now) > 0);
  }
}

/** How long before the deadline the runs are asked to stop: the grace they want, but never more than a quarter of the TTL. */
export function askBeforeMs(graceMs: number, ttlMs: number): number {
  return Math.min(graceMs, ttlMs / 4);
}

/** How long before the deadline the runner itself kills, so that the guard finds nothing to do: 2 % of the TTL, 10 to 200 ms. */
export function killBeforeMs(ttlMs: number): number {
  return Math.min(200, Math.max(10, ttlMs / 50));
}
