import type { Subject } from "@berth/contracts";
import { nuid } from "nats";
import type { Timer } from "../clock/index.js";
import { describe } from "../errors/index.js";
import { noTelemetry } from "../telemetry/index.js";
import { Inbox } from "./nats-inbox.js";
import { Link } from "./nats-link.js";
import { type StreamNames, streamNames } from "./nats-names.js";
import { type Gap, type NatsBusOptions, type NatsFigures, type Settings, settle } from "./nats-options.js";
import { Outbox } from "./nats-outbox.js";
import { StreamKeeper } from "./nats-stream.js";
import type { Bus, PublishOptions, SubscribeOptions, Subscription } from "./port.js";
import { sendSpan } from "./spans.js";

/** Time that closing gives to messages which aren't acknowledged yet. */
const closeWithinMs = 5_000;

/**
 * The bus on NATS JetStream: one stream per environment, a durable pull consumer per receiver and subject. It begins to connect when it
 * is made, and works without a server too: `publish` waits for one a while, then rejects; `subscribe` joins when there is one.
 *
 * Whoever subscribes should read by cursor once, and again whenever {@link onGap} tells it: what the stream has lost, it can't deliver.
 */
export class NatsBus implements Bus {
  private readonly settings: Settings;
  private readonly names: StreamNames;
  private readonly keeper: StreamKeeper;
  private readonly outbox: Outbox;
  // Apart, so that a flood of deliveries doesn't hold up what we publish, nor the other way round.
  private readonly publishing: Link;
  private readonly consuming: Link;
  // biome-ignore lint/suspicious/noExplicitAny: inboxes of all message types live side by side; their subject ties the type.
  private readonly inboxes = new Map<string, Inbox<any>>();
  private readonly gapListeners = new Set<(gap: Gap) => void>();
  private readonly ended = { received: 0, rejected: 0, poisoned: 0 };
  private gaps = 0;
  private checking: Timer;
  private closing: Promise<void> | undefined;

  /** @throws Error naming the option and its bounds. */
  constructor(options: NatsBusOptions) {
    this.settings = settle(options);
    this.names = streamNames(this.settings.prefix);
    this.keeper = new StreamKeeper(this.settings, this.names, () => {
      for (const inbox of this.inboxes.values()) inbox.streamLost();
    });
    this.outbox = new Outbox(
      this.settings,
      (connection) => this.keeper.look(connection),
      () => this.keeper.witness(),
    );
    this.publishing = new Link(this.settings, "publish");
    this.consuming = new Link(this.settings, "consume");
    this.publishing.listen(this.outbox);
    this.checking = this.nextCheck();
  }

  /** Whether the server can be reached now, for publishing and for hearing. */
  get connected(): boolean {
    return this.publishing.connection !== undefined && this.consuming.connection !== undefined;
  }

  get figures(): NatsFigures {
    const sum = { ...this.ended };
    for (const { received, rejected, poisoned } of this.inboxes.values()) {
      sum.received += received;
      sum.rejected += rejected;
      sum.poisoned += poisoned;
    }
    const { published, duplicates, refused, unacknowledged } = this.outbox;
    return { published, duplicates, refused, unacknowledged, ...sum, gaps: this.gaps };
  }

  /** Calls back whenever a receiver of this bus may have missed messages. Returns how to end that. */
  onGap(listener: (gap: Gap) => void): () => void {
    this.gapListeners.add(listener);
    return () => void this.gapListeners.delete(listener);
  }

  /**
   * Resolves when the stream has stored the message. @throws BusUnavailable if the buffer is full, the stream refuses it, or it isn't
   * acknowledged within `publishWithinMs`: it may then have been stored or not.
   */
  async publish<M>(subject: Subject<M>, message: M, options: PublishOptions = {}): Promise<void> {
    this.refuseIfClosed();
    const telemetry = this.settings.telemetry ?? noTelemetry;
    const span = sendSpan(telemetry, subject.name, options.traceParents, { "messaging.system": "nats" });
    try {
      await this.outbox.send({
        subject: this.names.subject(subject.name),
        // The stream knows ids for all its subjects together; ours count per subject.
        id: options.id === undefined ? nuid.next() : `${subject.name}:${options.id}`,
        bytes: subject.encode(message),
        traceParent: span.traceParent || (this.settings.telemetry?.activeTraceParent() ?? ""),
      });
    } catch (error) {
      span.fail(describe(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /** Resolves when messages are on their way, or after `joinWithinMs` without a server; {@link onGap} tells then when it has joined. */
  async subscribe<M>(
    subject: Subject<M>,
    durable: string,
    handler: (messages: M[]) => Promise<void>,
    { traceParents }: SubscribeOptions<M> = {},
  ): Promise<Subscription> {
    this.refuseIfClosed();
    const consumer = this.names.consumer(durable, subject.name);
    if (this.inboxes.has(consumer))
      throw new Error(`${durable} hears ${subject.name} already; stop that subscription first or use another name`);
    const inbox = new Inbox<M>({
      settings: this.settings,
      link: this.consuming,
      keeper: this.keeper,
      names: { stream: this.names.stream, consumer, subject: this.names.subject(subject.name) },
      subject,
      durable,
      handler,
      traceParents,
      onGap: (reason) => this.gap({ subject: subject.name, durable, reason }),
    });
    this.inboxes.set(consumer, inbox);
    await inbox.ready();
    return { stop: () => this.end(consumer, inbox) };
  }

  /** Waits for handlers, sends what is buffered (for at most 5 s), rejects the rest, and disconnects. */
  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async closeNow(): Promise<void> {
    this.checking.cancel();
    await Promise.all([...this.inboxes].map(([consumer, inbox]) => this.end(consumer, inbox)));
    await this.outbox.close(closeWithinMs);
    await Promise.all([this.publishing.close(), this.consuming.close()]);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  private async end(consumer: string, inbox: Inbox<any>): Promise<void> {
    await inbox.stop();
    if (this.inboxes.get(consumer) !== inbox) return;
    this.inboxes.delete(consumer);
    this.ended.received += inbox.received;
    this.ended.rejected += inbox.rejected;
    this.ended.poisoned += inbox.poisoned;
  }

  private gap(gap: Gap): void {
    this.gaps += 1;
    this.settings.logger.warn(gap, "messages of the bus may have been missed; reading by cursor");
    for (const listener of this.gapListeners) listener(gap);
  }

  /** A stream may be lost without the connection being so: restored from a backup, deleted by hand. */
  private nextCheck(): Timer {
    return this.settings.clock.setTimer(
      this.settings.checkEveryMs,
      () => {
        const { connection } = this.consuming;
        const looked = connection ? this.keeper.look(connection) : Promise.resolve();
        void looked
          .catch((error: unknown) => this.settings.logger.debug({ error }, "the state of the stream can't be read"))
          .then(() => {
            if (this.closing === undefined) this.checking = this.nextCheck();
          });
      },
      { unref: true },
    );
  }

  private refuseIfClosed(): void {
    if (this.closing !== undefined) throw new Error("the bus is closed");
  }
}
