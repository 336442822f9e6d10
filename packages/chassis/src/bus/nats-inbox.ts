import type { Subject } from "@berth/contracts";
import type { NatsConnection } from "nats";
import { delay } from "../clock/index.js";
import { type ConsumerNames, type Joined, joinConsumer } from "./nats-consumer.js";
import { Hand } from "./nats-hand.js";
import type { Link } from "./nats-link.js";
import type { Delivered } from "./nats-message.js";
import type { GapReason, Settings } from "./nats-options.js";
import { Pull } from "./nats-pull.js";
import type { StreamKeeper } from "./nats-stream.js";

/** What a subscription works with. */
export interface InboxParts<M> {
  readonly settings: Settings;
  readonly link: Link;
  readonly keeper: StreamKeeper;
  readonly names: ConsumerNames;
  readonly subject: Subject<M>;
  readonly durable: string;
  readonly handler: (messages: M[]) => Promise<void>;
  readonly onGap: (reason: GapReason) => void;
}

const retryMs = 250;
const firstBackoffMs = 100;
const backoffMsMax = 10_000;

/**
 * One subscription. Two loops, tied by the messages that wait between them: one joins the consumer and pulls, and joins again after
 * every disturbance; the other hands batches to the handler, over and over until it accepts, then acknowledges. Both live until `stop`.
 */
export class Inbox<M> {
  /** Times the handler rejected. */
  rejected = 0;
  private readonly parts: InboxParts<M>;
  private readonly hand: Hand<M>;
  private readonly stopping = new AbortController();
  private readonly pulling: Promise<void>;
  private readonly delivering: Promise<void>;
  private readonly firstJoin: Promise<void>;
  private joinedOnce: () => void = () => {};
  private disturb: (reason: string) => void = () => {};
  private linkChanged: () => void = () => {};
  private somethingWaits: () => void = () => {};
  private readonly waiting: Delivered[] = [];
  private pull: Pull | undefined;
  private joined: Joined | undefined;
  private wasAway = false;
  private late = false;

  constructor(parts: InboxParts<M>) {
    this.parts = parts;
    this.hand = new Hand(parts);
    this.firstJoin = new Promise((resolve) => {
      this.joinedOnce = resolve;
    });
    parts.link.listen({
      up: () => this.linkChanged(),
      down: () => {
        this.wasAway = true;
        this.hand.cut();
        this.disturb("the connection is lost");
      },
    });
    this.stopping.signal.addEventListener("abort", () => {
      this.linkChanged();
      this.somethingWaits();
      this.disturb("stopped");
    });
    this.pulling = this.keepPulling();
    this.delivering = this.keepDelivering();
  }

  /** Messages that the handler has accepted. */
  get received(): number {
    return this.hand.received;
  }

  get poisoned(): number {
    return this.hand.poisoned;
  }

  /** Resolves when messages are on their way, or after `joinWithinMs`. */
  async ready(): Promise<void> {
    const { clock, joinWithinMs } = this.parts.settings;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(joinWithinMs, () => {
        this.late = true;
        resolve();
      });
      void this.firstJoin.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** The stream turned out to be another one: join again. */
  streamLost(): void {
    if (this.joined) this.disturb("the stream has lost messages");
  }

  /** Resolves when the handler has finished its batch; what it wasn't given goes back to the server at once. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.pulling, this.delivering]);
    for (const message of this.waiting.splice(0)) this.hand.giveBack(message);
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private async keepPulling(): Promise<void> {
    const { settings, names, link } = this.parts;
    while (!this.stopped) {
      const connection = await this.whenUp();
      if (!connection) return;
      const disturbed = new Promise<string>((resolve) => {
        this.disturb = resolve;
      });
      try {
        await this.join(connection);
        const pull = this.startPull(connection);
        const reason = await Promise.race([disturbed, pull.broken]);
        settings.logger.debug({ consumer: names.consumer, reason }, "the subscription is joined anew");
        if (link.connection) await pull.stop();
        else pull.abandon();
      } catch (error) {
        settings.logger.debug({ error, consumer: names.consumer }, "the subscription can't be joined yet");
        await delay(settings.clock, retryMs, this.stopping.signal);
      }
      this.pull = undefined;
    }
  }

  private async whenUp(): Promise<NatsConnection | undefined> {
    while (!this.stopped && !this.parts.link.connection) {
      await new Promise<void>((resolve) => {
        this.linkChanged = resolve;
      });
    }
    return this.stopped ? undefined : this.parts.link.connection;
  }

  private async join(connection: NatsConnection): Promise<void> {
    const { keeper, settings, names, onGap } = this.parts;
    const first = this.joined === undefined;
    const joined = await joinConsumer(connection, keeper, settings, names, this.joined, this.hand.resumeAt);
    // Messages of a consumer that is gone can't be acknowledged: their numbers mean others now. The new one delivers what there is.
    if (joined.isNew) {
      this.waiting.length = 0;
      this.hand.orphan();
    }
    this.joined = joined;
    const gap =
      joined.gap ?? (first ? (this.late ? "joined late" : undefined) : this.wasAway ? "reconnected" : undefined);
    this.wasAway = false;
    if (gap) onGap(gap);
  }

  private startPull(connection: NatsConnection): Pull {
    const { settings, names } = this.parts;
    this.pull = new Pull({
      connection,
      clock: settings.clock,
      stream: names.stream,
      consumer: names.consumer,
      batch: settings.batchMax,
      onMessage: (message) => {
        this.waiting.push(message);
        this.regulate();
        this.somethingWaits();
      },
    });
    this.regulate();
    this.joinedOnce();
    return this.pull;
  }

  /** A batch may wait while another is in the handler's hands; more stays at the server. */
  private regulate(): void {
    this.pull?.want(this.waiting.length <= this.parts.settings.batchMax);
  }

  private async keepDelivering(): Promise<void> {
    const { settings } = this.parts;
    const keepingUp = new AbortController();
    const kept = this.keepClaims(keepingUp.signal);
    while (!this.stopped) {
      if (this.waiting.length === 0) {
        await new Promise<void>((resolve) => {
          this.somethingWaits = resolve;
        });
        // What comes in one turn of the event loop travels together.
        await new Promise<void>((resolve) => setImmediate(resolve));
        continue;
      }
      const messages = this.waiting.splice(0, settings.batchMax);
      this.regulate();
      await this.untilAccepted(messages);
    }
    keepingUp.abort();
    await kept;
  }

  private async untilAccepted(messages: Delivered[]): Promise<void> {
    const { settings, durable, subject } = this.parts;
    for (let backoffMs = firstBackoffMs; ; backoffMs = Math.min(backoffMs * 2, backoffMsMax)) {
      try {
        await this.hand.over(messages);
        return;
      } catch (error) {
        this.rejected += 1;
        settings.logger.warn(
          { error, subject: subject.name, durable, messages: messages.length, backoffMs },
          "a batch failed and will be delivered again",
        );
        await delay(settings.clock, backoffMs, this.stopping.signal);
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
