import type { Subject } from "@berth/contracts";
import { describe } from "../errors/index.js";
import { noTelemetry } from "../telemetry/index.js";
import type { Delivered } from "./nats-message.js";
import type { Settings } from "./nats-options.js";
import type { StreamKeeper } from "./nats-stream.js";
import type { SubscribeOptions } from "./port.js";
import { processSpan } from "./spans.js";

/** What handing over needs, and where it counts. */
export interface HandParts<M> {
  readonly settings: Settings;
  readonly keeper: StreamKeeper;
  readonly subject: Subject<M>;
  readonly durable: string;
  readonly handler: (messages: M[]) => Promise<void>;
  readonly traceParents: SubscribeOptions<M>["traceParents"];
}

const confirmMs = 5_000;

/** Puts batches into the handler's hands and tells the server what became of them. */
export class Hand<M> {
  received = 0;
  poisoned = 0;
  /** Sequence after the highest one acknowledged; 0 if none was. */
  resumeAt = 0;
  private readonly parts: HandParts<M>;
  private held: readonly Delivered[] = [];
  private stopWaiting: () => void = () => {};
  /** Messages of a consumer that is gone: its numbers mean others now. */
  private readonly orphans = new WeakSet<Delivered>();

  constructor(parts: HandParts<M>) {
    this.parts = parts;
  }

  /**
   * Hands a batch over and acknowledges it when the handler has accepted it. Those that can't be decoded are taken out of `messages` and
   * ended at the server. @throws what the handler throws; the batch may be handed over again.
   */
  async over(messages: Delivered[]): Promise<void> {
    this.held = messages;
    // Decoded anew each time: a handler that failed may have changed what it was given.
    const decoded = this.decode(messages);
    if (decoded.length === 0) return;
    await this.handle(decoded, messages);
    this.received += messages.length;
    await this.acknowledge(messages);
    this.held = [];
  }

  /** Gives a message back, so that whoever hears next under this name gets it at once. */
  giveBack(message: Delivered): void {
    this.tell(message, () => message.giveBack());
  }

  /** Tells the server that these and those in hand are still being worked on. */
  claim(waiting: readonly Delivered[]): void {
    for (const message of [...this.held, ...waiting]) this.tell(message, () => message.claim());
  }

  /** The connection is lost: the answer to an acknowledgement won't come. */
  cut(): void {
    this.stopWaiting();
  }

  /** The consumer is another one: what is in hand can't be acknowledged any more. */
  orphan(): void {
    for (const message of this.held) this.orphans.add(message);
    this.resumeAt = 0;
  }

  private decode(messages: Delivered[]): M[] {
    const decoded: M[] = [];
    const sound: Delivered[] = [];
    for (const message of messages) {
      try {
        decoded.push(this.parts.subject.decode(message.bytes));
        sound.push(message);
      } catch (error) {
        this.endPoison(message, error);
      }
    }
    messages.splice(0, messages.length, ...sound);
    return decoded;
  }

  /** Delivering it again would fail again, for ever, and hold up the rest. It stays in the stream, where it can be looked at. */
  private endPoison(message: Delivered, error: unknown): void {
    const { settings, subject, durable } = this.parts;
    const poison = { subject: subject.name, durable, sequence: message.sequence, error };
    this.poisoned += 1;
    settings.logger.error(poison, "a message can't be decoded and is dropped");
    this.tell(message, () => message.end());
    settings.onPoison?.(poison);
  }

  private async handle(decoded: M[], messages: readonly Delivered[]): Promise<void> {
    const { settings, subject, durable, handler, traceParents } = this.parts;
    const delivering = {
      subject: subject.name,
      durable,
      messages: decoded.length,
      sends: messages.map(({ traceParent }) => traceParent),
      traceParents: traceParents && (() => decoded.flatMap((message) => [...traceParents(message)])),
    };
    const span = processSpan(settings.telemetry ?? noTelemetry, delivering, { "messaging.system": "nats" });
    try {
      await span.run(() => handler(decoded));
    } catch (error) {
      span.fail(describe(error));
      throw error;
    } finally {
      span.end();
    }
  }

  /**
   * The server takes the acknowledgements of a connection in order, so the answer to the last one speaks for all. Without an answer the
   * batch comes again, which at-least-once allows.
   */
  private async acknowledge(messages: readonly Delivered[]): Promise<void> {
    for (const message of messages.slice(0, -1)) this.tell(message, () => message.accept());
    const last = messages.at(-1);
    if (!last || this.orphans.has(last)) return;
    const saw = this.parts.keeper.witness();
    const cut = new Promise<never>((_, reject) => {
      this.stopWaiting = () => reject(new Error("the connection is lost"));
    });
    try {
      await Promise.race([last.acceptAndConfirm(confirmMs), cut]);
      // The consumer may have been replaced while the answer travelled; the new one doesn't resume at a number of the old.
      if (this.orphans.has(last)) return;
      this.resumeAt = Math.max(this.resumeAt, ...messages.map(({ sequence }) => sequence + 1));
      saw(this.resumeAt - 1);
    } catch (error) {
      this.parts.settings.logger.debug({ error, durable: this.parts.durable }, "an acknowledgement wasn't confirmed");
    }
  }

  private tell(message: Delivered, how: () => void): void {
    if (this.orphans.has(message)) return;
    try {
      how();
    } catch (error) {
      // The connection is closed. The server delivers the message again when its wait is over.
      this.parts.settings.logger.debug(
        { error, durable: this.parts.durable },
        "the server couldn't be told about a message",
      );
    }
  }
}
