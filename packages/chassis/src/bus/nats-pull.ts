import { createInbox, type Msg, type NatsConnection, nanos } from "nats";
import type { Clock, Timer } from "../clock/index.js";
import { Delivered } from "./nats-message.js";

/** Where messages are asked for. */
export interface PullOptions {
  readonly connection: NatsConnection;
  readonly clock: Clock;
  readonly stream: string;
  readonly consumer: string;
  /** Where answers may come to, as the server lets this user hear them. Default: the client's. */
  readonly inboxPrefix: string | undefined;
  /** Messages asked for at once. */
  readonly batch: number;
  readonly onMessage: (message: Delivered) => void;
}

const expiresMs = 30_000;
const heartbeatMs = 5_000;

/**
 * Asks a pull consumer for messages, one request at a time: *asking* (the server owes us up to a batch), *full* (the batch came and the
 * next isn't wanted yet), *broken* (the consumer is gone, or nothing was heard for three heartbeats), *stopped*.
 *
 * The client's own `consume` isn't used: it can't say when it has read what the server had sent before it stopped, and after a lost
 * stream it waits for half a minute.
 */
export class Pull {
  /** Resolves with the reason when the pull is broken. */
  readonly broken: Promise<string>;
  private readonly options: PullOptions;
  private readonly inbox: string;
  private readonly subscription: ReturnType<NatsConnection["subscribe"]>;
  private owed = 0;
  private wanted = true;
  private silence: Timer | undefined;
  private break: (reason: string) => void = () => {};

  constructor(options: PullOptions) {
    this.options = options;
    this.inbox = createInbox(options.inboxPrefix);
    this.broken = new Promise((resolve) => {
      this.break = resolve;
    });
    this.subscription = options.connection.subscribe(this.inbox, {
      callback: (error, message) => (error ? this.break(error.message) : this.receive(message)),
    });
    this.ask();
  }

  /** Whether the next batch is wanted when this one has come. */
  want(wanted: boolean): void {
    this.wanted = wanted;
    if (this.owed === 0) this.ask();
  }

  /** Stops asking; resolves when all that the server had sent has been given out. */
  async stop(): Promise<void> {
    this.wanted = false;
    this.silence?.cancel();
    if (!this.options.connection.isClosed() && !this.subscription.isClosed())
      await this.subscription.drain().catch(() => undefined);
  }

  /** Stops without hearing what is on its way; for a connection that is lost. */
  abandon(): void {
    this.wanted = false;
    this.silence?.cancel();
    this.subscription.unsubscribe();
  }

  private get listening(): boolean {
    return !this.subscription.isClosed() && !this.subscription.isDraining();
  }

  private ask(): void {
    if (!this.wanted || !this.listening) return;
    const { connection, stream, consumer, batch } = this.options;
    this.owed = batch;
    const request = { batch, expires: nanos(expiresMs), idle_heartbeat: nanos(heartbeatMs) };
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
      reply: this.inbox,
    });
    this.heard();
  }

  private receive(message: Msg): void {
    if (message.subject !== this.inbox) {
      this.owed -= 1;
      this.options.onMessage(new Delivered(this.options.connection, message));
      if (this.owed <= 0) this.ask();
    } else {
      this.status(message.headers?.code ?? 0, message.headers?.description ?? "");
    }
    this.heard();
  }

  private status(code: number, text: string): void {
    if (code === 100) return;
    // 408 and 404 end the request, nothing else. Any other end is looked into before we ask again.
    if (code !== 408 && code !== 404) return this.break(`${code} ${text}`);
    this.owed = 0;
    this.ask();
  }

  private heard(): void {
    this.silence?.cancel();
    if (this.owed <= 0 || !this.listening) return;
    this.silence = this.options.clock.setTimer(3 * heartbeatMs, () => this.break("no heartbeat"), { unref: true });
  }
}
