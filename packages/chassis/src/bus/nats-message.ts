import type { Msg, NatsConnection } from "nats";

/** A message that the server has delivered and waits to hear about. The client has such a thing too, but doesn't let it be made. */
export class Delivered {
  readonly bytes: Uint8Array;
  /** Its place in the stream. */
  readonly sequence: number;
  /** Traceparent of its publication, or empty. */
  readonly traceParent: string;
  private readonly connection: NatsConnection;
  private readonly reply: string;

  constructor(connection: NatsConnection, message: Msg) {
    this.connection = connection;
    this.bytes = message.data;
    this.traceParent = message.headers?.get("traceparent") ?? "";
    this.reply = message.reply ?? "";
    this.sequence = sequenceIn(this.reply);
  }

  /** The handler has accepted it. Fire and forget. @throws Error if the connection is closed, as do the others. */
  accept(): void {
    this.tell("+ACK");
  }

  /** As `accept`, and resolves when the server has taken this and all that it was told before on this connection. */
  async acceptAndConfirm(withinMs: number): Promise<void> {
    await this.connection.request(this.reply, "+ACK", { timeout: withinMs });
  }

  /** Deliver it again, at once. */
  giveBack(): void {
    this.tell("-NAK");
  }

  /** Never deliver it again to this durable. */
  end(): void {
    this.tell("+TERM");
  }

  /** It is being worked on: the server's wait begins anew. */
  claim(): void {
    this.tell("+WPI");
  }

  private tell(what: string): void {
    this.connection.publish(this.reply, what);
  }
}

/** `$JS.ACK.<stream>.<consumer>.<times>.<sequence>...`, with domain and account before the stream in the longer form. */
function sequenceIn(reply: string): number {
  const tokens = reply.split(".");
  return Number(tokens[tokens.length > 9 ? 7 : 5]);
}
