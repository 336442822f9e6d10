import type { Subject } from "@berth/contracts";
import { BackOff } from "../clock/index.js";
import { describe } from "../errors/index.js";
import { noTelemetry } from "../telemetry/index.js";
import type { BusOptions, SubscribeOptions } from "./port.js";
import { processSpan } from "./spans.js";

/** A message at rest in a queue. */
export interface Parcel {
  readonly bytes: Uint8Array;
  /** Traceparent of its publication; empty without tracing. */
  readonly traceParent: string;
}

/** Messages in one delivery. */
const batchMax = 500;
const again = { firstMs: 100, mostMs: 10_000 };

/**
 * What waits for one durable, and its delivery.
 *
 * Idle until `attach`; then *waiting* for a message, *delivering* a batch or *backing off* after a failed one, until detached. The queue
 * outlives the subscription.
 */
export class Delivery<M> {
  /** Messages dropped since the beginning because too many waited. */
  dropped = 0;
  private readonly queue: Parcel[] = [];
  private readonly subject: Subject<M>;
  private readonly durable: string;
  private readonly options: BusOptions;
  private traceParents: SubscribeOptions<M>["traceParents"];
  private wake: (() => void) | undefined;
  private running: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  constructor(subject: Subject<M>, durable: string, options: BusOptions) {
    this.subject = subject;
    this.durable = durable;
    this.options = options;
  }

  /** Whether a subscription hears. */
  get attached(): boolean {
    return this.running !== undefined;
  }

  push(parcel: Parcel): void {
    if (this.queue.length >= (this.options.maxQueuedMessages ?? 10_000)) {
      this.queue.shift();
      this.dropped += 1;
      // Once per thousand: a log line per lost message would be the next thing that overflows.
      if (this.dropped % 1_000 === 1)
        this.options.logger.warn(
          { ...this.names(), dropped: this.dropped },
          "the queue is full; the oldest messages are dropped",
        );
    }
    this.queue.push(parcel);
    this.wake?.();
  }

  /** Begins to deliver. */
  attach(handler: (messages: M[]) => Promise<void>, options: SubscribeOptions<M> = {}): void {
    this.traceParents = options.traceParents;
    const stop = new AbortController();
    stop.signal.addEventListener("abort", () => this.wake?.());
    this.running = { stop, done: this.run(handler, stop.signal) };
  }

  /** Ends delivering when the batch in hand is over. */
  async detach(): Promise<void> {
    const { running } = this;
    if (!running) return;
    running.stop.abort();
    await running.done;
    if (this.running === running) this.running = undefined;
  }

  private async run(handler: (messages: M[]) => Promise<void>, stop: AbortSignal): Promise<void> {
    const backOff = new BackOff(this.options.clock, again);
    for (;;) {
      await this.somethingWaits(stop);
      if (stop.aborted) return;
      const parcels = this.queue.splice(0, batchMax);
      try {
        const messages = this.decode(parcels);
        if (messages.length > 0) await this.hand(messages, parcels, handler);
        backOff.reset();
      } catch (error) {
        this.options.logger.warn(
          { error, ...this.names(), messages: parcels.length, backoffMs: backOff.nextMs },
          "a batch failed and will be delivered again",
        );
        this.queue.unshift(...parcels);
        await backOff.wait(stop);
      }
    }
  }

  /** Resolves in a later turn of the event loop, so that what is published in one turn travels together. */
  private async somethingWaits(stop: AbortSignal): Promise<void> {
    while (this.queue.length === 0 && !stop.aborted) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  private decode(parcels: readonly Parcel[]): M[] {
    const messages: M[] = [];
    for (const { bytes } of parcels) {
      try {
        messages.push(this.subject.decode(bytes));
      } catch (error) {
        // Delivering it again would fail again, for ever, and hold up the rest.
        this.options.logger.error({ error, ...this.names() }, "a message can't be decoded and is dropped");
      }
    }
    return messages;
  }

  private async hand(
    messages: M[],
    parcels: readonly Parcel[],
    handler: (messages: M[]) => Promise<void>,
  ): Promise<void> {
    const telemetry = this.options.telemetry ?? noTelemetry;
    const { traceParents } = this;
    const span = processSpan(telemetry, {
      ...this.names(),
      messages: messages.length,
      sends: parcels.map(({ traceParent }) => traceParent),
      traceParents: traceParents && (() => messages.flatMap((message) => [...traceParents(message)])),
    });
    try {
      await span.run(() => handler(messages));
    } catch (error) {
      span.fail(describe(error));
      throw error;
    } finally {
      span.end();
    }
  }

  private names(): { subject: string; durable: string } {
    return { subject: this.subject.name, durable: this.durable };
  }
}
