import type { Subject } from "@berth/contracts";
import type { NatsConnection } from "nats";
import { delay } from "../clock/index.js";
import { type ConsumerNames, type Joined, joinConsumer } from "./nats-consumer.js";
import { Deliverer } from "./nats-deliverer.js";
import type { Link } from "./nats-link.js";
import type { GapReason, Settings } from "./nats-options.js";
import { Pull } from "./nats-pull.js";
import type { StreamKeeper } from "./nats-stream.js";
import type { SubscribeOptions } from "./port.js";

/** What a subscription works with. */
export interface InboxParts<M> {
  readonly settings: Settings;
  readonly link: Link;
  readonly keeper: StreamKeeper;
  readonly names: ConsumerNames;
  readonly subject: Subject<M>;
  readonly durable: string;
  readonly handler: (messages: M[]) => Promise<void>;
  readonly traceParents: SubscribeOptions<M>["traceParents"];
  readonly onGap: (reason: GapReason) => void;
}

const retryMs = 250;

/**
 * One subscription: joins its consumer and pulls, and joins again after every disturbance, until `stop`. A {@link Deliverer} hands over
 * what has come.
 */
export class Inbox<M> {
  private readonly parts: InboxParts<M>;
  private readonly deliverer: Deliverer<M>;
  private readonly stopping = new AbortController();
  private readonly pulling: Promise<void>;
  private readonly firstJoin: Promise<void>;
  private joinedOnce: () => void = () => {};
  private disturb: (reason: string) => void = () => {};
  private linkChanged: () => void = () => {};
  private pull: Pull | undefined;
  private joined: Joined | undefined;
  private wasAway = false;
  private late = false;

  constructor(parts: InboxParts<M>) {
    this.parts = parts;
    this.deliverer = new Deliverer(parts, () => this.regulate());
    this.firstJoin = new Promise((resolve) => {
      this.joinedOnce = resolve;
    });
    parts.link.listen({
      up: () => this.linkChanged(),
      down: () => {
        this.wasAway = true;
        this.deliverer.hand.cut();
        this.disturb("the connection is lost");
      },
    });
    this.stopping.signal.addEventListener("abort", () => {
      this.linkChanged();
      this.disturb("stopped");
    });
    this.pulling = this.keepPulling();
  }

  /** Messages that the handler has accepted. */
  get received(): number {
    return this.deliverer.hand.received;
  }

  /** Times the handler rejected. */
  get rejected(): number {
    return this.deliverer.rejected;
  }

  get poisoned(): number {
    return this.deliverer.hand.poisoned;
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
    this.deliverer.halt();
    // The last messages come while pulling stops; the deliverer gives them back.
    await this.pulling;
    await this.deliverer.stop();
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
        // A pull that breaks may break again at once; a pause keeps that from becoming a hot loop.
        const broken = pull.broken.then(async (reason) => {
          await delay(settings.clock, retryMs, this.stopping.signal);
          return reason;
        });
        const reason = await Promise.race([disturbed, broken]);
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
    const joined = await joinConsumer(connection, keeper, settings, names, this.joined, this.deliverer.hand.resumeAt);
    if (joined.isNew) this.deliverer.forget();
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
      inboxPrefix: settings.credentials?.inboxPrefix,
      batch: settings.batchMax,
      onMessage: (message) => {
        this.deliverer.push(message);
        this.regulate();
      },
    });
    this.regulate();
    this.joinedOnce();
    return this.pull;
  }

  private regulate(): void {
    this.pull?.want(this.deliverer.hasRoom);
  }
}
