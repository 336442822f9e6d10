import type { Subject } from "@berth/contracts";
import type { Clock, Timer } from "../clock/index.js";
import type { Bus, PublishOptions, SubscribeOptions, Subscription } from "./port.js";

/** How badly a bus behaves. Shares run from 0 (never) to 1 (always). */
export interface Faults {
  /** Share of messages that are lost although the publisher is told that they weren't. */
  readonly drop?: number;
  /** Share of messages that are delivered twice. */
  readonly double?: number;
  /** Share of messages that are held back until the next one has gone ahead. */
  readonly reorder?: number;
  /** Longest delay of a message in milliseconds; each is delayed by a random part of it. */
  readonly delayMsMax?: number;
}

/** A bus that loses, doubles, reorders and delays, as decided by the random function it is given: for tests and the simulation. */
export class FaultyBus implements Bus {
  /** May be changed at any time; the empty object makes the bus good. */
  faults: Faults;
  private readonly inner: Bus;
  private readonly clock: Clock;
  private readonly random: () => number;
  private held: (() => Promise<void>) | undefined;
  private readonly timers = new Set<Timer>();

  /** `random` gives numbers from 0 to below 1; with a seeded one and a manual clock, every run is the same. */
  constructor(inner: Bus, options: { readonly clock: Clock; readonly random: () => number; readonly faults: Faults }) {
    this.inner = inner;
    this.clock = options.clock;
    this.random = options.random;
    this.faults = options.faults;
  }

  get connected(): boolean {
    return this.inner.connected ?? true;
  }

  onGap(listener: () => void): () => void {
    return this.inner.onGap?.(listener) ?? (() => undefined);
  }

  async publish<M>(subject: Subject<M>, message: M, options?: PublishOptions): Promise<void> {
    const { drop = 0, double = 0, reorder = 0, delayMsMax = 0 } = this.faults;
    // Drawn always and in this order, so that changing one fault doesn't change what the others hit.
    const [dropped, doubled, held, delayed] = [
      this.random() < drop,
      this.random() < double,
      this.random() < reorder,
      this.random() * delayMsMax,
    ];
    if (dropped) return;
    const copy = subject.decode(subject.encode(message));
    const send = async (): Promise<void> => {
      await this.inner.publish(subject, copy, options);
      // Without the id, or the second one would be recognised.
      if (doubled) await this.inner.publish(subject, copy);
    };
    if (held && !this.held) {
      this.held = send;
      return;
    }
    const before = this.held;
    this.held = undefined;
    await this.later(delayed, send);
    if (before) await this.later(delayed, before);
  }

  subscribe<M>(
    subject: Subject<M>,
    durable: string,
    handler: (messages: M[]) => Promise<void>,
    options?: SubscribeOptions<M>,
  ): Promise<Subscription> {
    return this.inner.subscribe(subject, durable, handler, options);
  }

  /** Messages still held back or delayed are lost. */
  async close(): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    await this.inner.close();
  }

  private async later(delayMs: number, send: () => Promise<void>): Promise<void> {
    if (delayMs <= 0) return send();
    const timer = this.clock.setTimer(delayMs, () => {
      this.timers.delete(timer);
      // A bus that has been closed meanwhile loses the message, which is this one's trade.
      send().catch(() => undefined);
    });
    this.timers.add(timer);
  }
}
