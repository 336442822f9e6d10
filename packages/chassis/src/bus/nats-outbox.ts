import { ErrorCode, headers, type NatsConnection, type NatsError } from "nats";
import type { Timer } from "../clock/index.js";
import type { Settings } from "./nats-options.js";
import { apiErrors, isApiError } from "./nats-stream.js";

/** The bus couldn't take a message. Nothing rests on it: what matters is in a spool or a journal, and is read from there. */
export class BusUnavailable extends Error {
  override readonly name = "BusUnavailable";
}

/** A message on its way to the stream. */
export interface Letter {
  /** Subject on the server. */
  readonly subject: string;
  /** The stream drops a second letter of this id. */
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Traceparent of the publication, or empty. */
  readonly traceParent: string;
}

interface Pending extends Letter {
  /** Place in the order of publishing. */
  readonly order: number;
  readonly dueMs: number;
  /** Which sending of it counts; an older one's failure is no news. */
  sending: number;
  over: boolean;
  resolve(): void;
  reject(error: Error): void;
}

const attemptMs = 5_000;
const pauseMs = 250;
const sweepMs = 1_000;

/**
 * Letters between `publish` and the stream's acknowledgement: *waiting* (bounded by number and bytes), *in flight* (bounded), then
 * acknowledged or given up. What was in flight when the connection was lost is sent again, first and with the same id: the client throws
 * its own buffer away when it dials, and an answer that was lost doesn't tell whether the letter was stored.
 */
export class Outbox {
  published = 0;
  duplicates = 0;
  refused = 0;
  private readonly settings: Settings;
  /** Makes sure that the stream is there. */
  private readonly prepare: (connection: NatsConnection) => Promise<unknown>;
  /** Begins to watch a letter on its way; gives how to note the sequence that the stream gave it. */
  private readonly witness: () => (sequence: number) => void;
  private readonly waiting: Pending[] = [];
  private readonly inFlight = new Set<Pending>();
  private bytes = 0;
  private taken = 0;
  /** The connection while it is up and the stream is there. */
  private ready: NatsConnection | undefined;
  private connection: NatsConnection | undefined;
  private sweeper: Timer | undefined;
  private emptied: (() => void) | undefined;

  constructor(
    settings: Settings,
    prepare: (connection: NatsConnection) => Promise<unknown>,
    witness: () => (sequence: number) => void,
  ) {
    this.settings = settings;
    this.prepare = prepare;
    this.witness = witness;
  }

  get unacknowledged(): number {
    return this.waiting.length + this.inFlight.size;
  }

  /** Resolves when the stream has the letter. @throws BusUnavailable if it can't be taken, or not in time. */
  send(letter: Letter): Promise<void> {
    const { maxBuffered, maxBufferedBytes, publishWithinMs, clock } = this.settings;
    const full =
      this.waiting.length >= maxBuffered
        ? `${maxBuffered} messages`
        : this.bytes + letter.bytes.length > maxBufferedBytes
          ? `${maxBufferedBytes} bytes`
          : "";
    if (full) {
      this.refused += 1;
      const state = this.connection ? "is slower than we publish" : "can't be reached";
      return Promise.reject(
        new BusUnavailable(
          `the bus ${state} and ${full} are waiting already; this message is dropped, readers find it by cursor`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      this.taken += 1;
      this.waiting.push({
        ...letter,
        order: this.taken,
        dueMs: clock.monoMs() + publishWithinMs,
        sending: 0,
        over: false,
        resolve,
        reject,
      });
      this.bytes += letter.bytes.length;
      this.sweeper ??= this.nextSweep();
      this.pump();
    });
  }

  up(connection: NatsConnection): void {
    this.connection = connection;
    void this.whenPrepared(connection);
  }

  down(): void {
    this.connection = undefined;
    this.ready = undefined;
    for (const pending of [...this.inFlight]) this.putBack(pending);
    // Whoever closes waits for acknowledgements that won't come now.
    this.emptied?.();
  }

  /** Waits until everything is acknowledged, for at most `withinMs`, and gives up the rest. */
  async close(withinMs: number): Promise<void> {
    if (this.unacknowledged > 0 && this.connection) {
      await new Promise<void>((resolve) => {
        const timer = this.settings.clock.setTimer(withinMs, resolve);
        this.emptied = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.sweeper?.cancel();
    for (const pending of [...this.inFlight, ...this.waiting])
      this.giveUp(pending, "the bus was closed before it had this message");
  }

  private async whenPrepared(connection: NatsConnection): Promise<void> {
    try {
      await this.prepare(connection);
    } catch (error) {
      this.settings.logger.debug({ error }, "the stream isn't ready yet");
      this.settings.clock.setTimer(
        pauseMs,
        () => {
          if (this.connection === connection) void this.whenPrepared(connection);
        },
        { unref: true },
      );
      return;
    }
    if (this.connection !== connection) return;
    this.ready = connection;
    this.pump();
  }

  private pump(): void {
    while (this.ready && this.inFlight.size < this.settings.maxInFlight) {
      const pending = this.waiting.shift();
      if (!pending) return;
      this.inFlight.add(pending);
      void this.attempt(this.ready, pending);
    }
  }

  private async attempt(connection: NatsConnection, pending: Pending): Promise<void> {
    const { sending } = pending;
    const saw = this.witness();
    try {
      const withHeaders = headers();
      if (pending.traceParent) withHeaders.set("traceparent", pending.traceParent);
      const options = { msgID: pending.id, headers: withHeaders, timeout: attemptMs };
      const { seq, duplicate } = await connection.jetstream().publish(pending.subject, pending.bytes, options);
      saw(seq);
      if (pending.over) return;
      this.published += 1;
      if (duplicate) this.duplicates += 1;
      this.finish(pending);
      pending.resolve();
    } catch (error) {
      if (!pending.over && pending.sending === sending) this.failed(connection, pending, error as NatsError);
    }
    this.pump();
  }

  private failed(connection: NatsConnection, pending: Pending, error: NatsError): void {
    if (isApiError(error, apiErrors.storeFailed)) {
      this.giveUp(
        pending,
        `the stream of the bus is full (${error.message}); messages are taken again when old ones expire`,
      );
    } else if (error.code === ErrorCode.MaxPayloadExceeded) {
      const most = connection.info?.max_payload ?? 0;
      this.giveUp(
        pending,
        `a message of ${pending.bytes.length} bytes is above the server's bound of ${most}; send smaller batches`,
      );
    } else if (error.api_error || error.code === ErrorCode.PermissionsViolation) {
      this.giveUp(pending, `the bus refused the message: ${error.message}`);
    } else {
      // Time-out, no responders, connection: it may be stored or not. The same id makes sending it again harmless.
      this.putBack(pending);
      if (this.ready !== connection) return;
      this.ready = undefined;
      this.settings.clock.setTimer(
        pauseMs,
        () => {
          if (this.connection === connection) void this.whenPrepared(connection);
        },
        { unref: true },
      );
    }
  }

  /** To its place among those that wait: it keeps its turn. */
  private putBack(pending: Pending): void {
    pending.sending += 1;
    this.inFlight.delete(pending);
    const later = this.waiting.findIndex(({ order }) => order > pending.order);
    this.waiting.splice(later < 0 ? this.waiting.length : later, 0, pending);
  }

  private nextSweep(): Timer {
    return this.settings.clock.setTimer(
      sweepMs,
      () => {
        const nowMs = this.settings.clock.monoMs();
        for (const pending of [...this.waiting, ...this.inFlight].filter(({ dueMs }) => dueMs <= nowMs))
          this.giveUp(
            pending,
            `the bus didn't acknowledge a message within ${this.settings.publishWithinMs} ms; it may or may not arrive`,
          );
        this.sweeper = this.unacknowledged > 0 ? this.nextSweep() : undefined;
        this.pump();
      },
      { unref: true },
    );
  }

  private giveUp(pending: Pending, message: string): void {
    this.refused += 1;
    this.finish(pending);
    pending.reject(new BusUnavailable(message));
  }

  private finish(pending: Pending): void {
    pending.over = true;
    this.bytes -= pending.bytes.length;
    if (!this.inFlight.delete(pending)) {
      const index = this.waiting.indexOf(pending);
      if (index >= 0) this.waiting.splice(index, 1);
    }
    if (this.unacknowledged === 0) this.emptied?.();
  }
}
