import { BackOff, delay } from "../clock/index.js";
import { Hand, type HandParts } from "./nats-hand.js";
import type { Delivered } from "./nats-message.js";

const again = { firstMs: 100, mostMs: 10_000 };

/**
 * Hands what has come to the handler, batch after batch, each over and over until it is accepted, and keeps up our claim on what waits. A
 * second batch may wait while one is in the handler's hands; more stays at the server.
 */
export class Deliverer<M> {
  readonly hand: Hand<M>;
  /** Times the handler rejected. */
  rejected = 0;
  private readonly parts: HandParts<M>;
  private readonly waiting: Delivered[] = [];
  private readonly stopping = new AbortController();
  private readonly onRoom: () => void;
  private readonly done: Promise<unknown>;
  private somethingWaits: () => void = () => {};

  /** `onRoom` is called when `hasRoom` may have become true. */
  constructor(parts: HandParts<M>, onRoom: () => void) {
    this.parts = parts;
    this.onRoom = onRoom;
    this.hand = new Hand(parts);
    this.stopping.signal.addEventListener("abort", () => this.somethingWaits());
    const over = new AbortController();
    // Claims are kept up until the last handler has finished, also while stopping.
    this.done = Promise.all([this.keepDelivering().finally(() => over.abort()), this.keepClaims(over.signal)]);
  }

  /** Whether another batch may be asked for. */
  get hasRoom(): boolean {
    return this.waiting.length <= this.parts.settings.batchMax;
  }

  push(message: Delivered): void {
    this.waiting.push(message);
    this.somethingWaits();
  }

  /**
   * The consumer is another one. Messages of the earlier one can't be acknowledged: their numbers mean others now. The new one delivers
   * what there is.
   */
  forget(): void {
    this.waiting.length = 0;
    this.hand.orphan();
  }

  /** Begins to stop: no further batch is handed over. */
  halt(): void {
    this.stopping.abort();
  }

  /** Resolves when the handler has finished its batch; what it wasn't given goes back to the server at once. */
  async stop(): Promise<void> {
    this.halt();
    await this.done;
    for (const message of this.waiting.splice(0)) this.hand.giveBack(message);
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private async keepDelivering(): Promise<void> {
    while (!this.stopped) {
      if (this.waiting.length === 0) {
        await new Promise<void>((resolve) => {
          this.somethingWaits = resolve;
        });
        // What comes in one turn of the event loop travels together.
        await new Promise<void>((resolve) => setImmediate(resolve));
        continue;
      }
      const messages = this.waiting.splice(0, this.parts.settings.batchMax);
      this.onRoom();
      await this.untilAccepted(messages);
    }
  }

  private async untilAccepted(messages: Delivered[]): Promise<void> {
    const { settings, durable, subject } = this.parts;
    const backOff = new BackOff(settings.clock, again);
    for (;;) {
      try {
        await this.hand.over(messages);
        return;
      } catch (error) {
        this.rejected += 1;
        settings.logger.warn(
          { error, subject: subject.name, durable, messages: messages.length, backoffMs: backOff.nextMs },
          "a batch failed and will be delivered again",
        );
        await backOff.wait(this.stopping.signal);
      }
      if (!this.stopped) continue;
      for (const message of messages) this.hand.giveBack(message);
      return;
    }
  }

  /** Tells the server, well within its wait, that what we hold is still being worked on. */
  private async keepClaims(signal: AbortSignal): Promise<void> {
    const { clock, ackWaitMs } = this.parts.settings;
    while (!signal.aborted) {
      await delay(clock, ackWaitMs / 3, signal);
      if (!signal.aborted) this.hand.claim(this.waiting);
    }
  }
}
