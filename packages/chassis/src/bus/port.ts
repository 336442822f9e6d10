import type { Subject } from "@berth/contracts";
import type { Clock } from "../clock/index.js";
import type { Logger } from "../log/index.js";
import type { Telemetry } from "../telemetry/index.js";

/**
 * Makes things fast and lets everybody hear. It isn't the truth: what must not be lost is in a spool or a journal first, and read from
 * there where the bus is silent. Messages arrive at least once, as a rule in order; each receiver gets a copy of its own.
 */
export interface Bus {
  /** Whether messages go through now; undefined for a bus that can't be away. */
  readonly connected?: boolean;
  /** Calls back whenever a receiver may have missed messages and should read by cursor. Returns how to end that. */
  onGap?(listener: () => void): () => void;
  /**
   * Hands over one message; resolves when the bus has it, not when anybody has heard it. A message with the `id` of one that was
   * published shortly before is dropped.
   */
  publish<M>(subject: Subject<M>, message: M, options?: PublishOptions): Promise<void>;
  /**
   * Delivers what is published from now on, in batches, one batch at a time. A batch is acknowledged when the handler's promise
   * resolves; when it rejects, the messages are delivered again after a back-off, before later ones.
   *
   * `durable` names the receiver: each durable gets every message once, and what arrives while its subscription is stopped waits for
   * the next one of that name. One subscription at a time.
   */
  subscribe<M>(
    subject: Subject<M>,
    durable: string,
    handler: (messages: M[]) => Promise<void>,
    options?: SubscribeOptions<M>,
  ): Promise<Subscription>;
  /** Stops all subscriptions. Afterwards `publish` and `subscribe` reject. Safe to call twice. */
  close(): Promise<void>;
}

/** What a publication may say beside its message. */
export interface PublishOptions {
  readonly id?: string;
  /** Traceparents of what the message carries: of one trace, the publication is a part of it; of several, linked with each. */
  readonly traceParents?: () => Iterable<string>;
}

/** What a subscription may say. */
export interface SubscribeOptions<M> {
  /** Traceparents of what a message carries; the delivery is linked with them. */
  readonly traceParents?: (message: M) => Iterable<string>;
}

/** A receiver that hears. */
export interface Subscription {
  /** Resolves when the handler has finished its batch; it isn't called any more. Safe to call twice. */
  stop(): Promise<void>;
}

/** What a bus needs. */
export interface BusOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Publishing and delivering become spans; the delivery is linked with every publication in its batch. */
  readonly telemetry?: Telemetry;
  /** Messages that wait for one durable; beyond it the oldest is dropped and counted. Default: 10,000. */
  readonly maxQueuedMessages?: number;
}
