import { connect, Events, type NatsConnection } from "nats";
import { delay } from "../clock/index.js";
import type { Settings } from "./nats-options.js";

/** Hears about a connection. */
export interface LinkListener {
  up(connection: NatsConnection): void;
  down(): void;
}

/** Pause between attempts to connect. The client's own default is 2 s, and it gives up after ten. */
const retryMs = 250;
/** The default of 2 minutes, twice, would leave a dead connection unnoticed for longer than a lease lives. */
const pingIntervalMs = 10_000;

/**
 * One connection that never gives up: *down* until the server answers, *up*, *down* again when it is lost, and so on until closed. It may
 * be begun while there is no server.
 */
export class Link {
  private readonly settings: Settings;
  private readonly purpose: string;
  private readonly listeners = new Set<LinkListener>();
  private readonly closing = new AbortController();
  private current: NatsConnection | undefined;
  private isUp = false;
  private readonly done: Promise<void>;

  constructor(settings: Settings, purpose: "publish" | "consume") {
    this.settings = settings;
    this.purpose = purpose;
    this.done = this.keep();
  }

  /** The connection while it is up. */
  get connection(): NatsConnection | undefined {
    return this.isUp ? this.current : undefined;
  }

  /** Tells a listener about every change, beginning with now if it is up. */
  listen(listener: LinkListener): void {
    this.listeners.add(listener);
    if (this.connection) listener.up(this.connection);
  }

  /** Sends what is buffered and ends. Safe to call twice. */
  async close(): Promise<void> {
    this.closing.abort();
    const { current } = this;
    // Draining waits for an answer, which a server that is away doesn't give.
    if (current && !current.isClosed())
      await (this.isUp ? current.drain() : current.close()).catch(() => current.close());
    await this.done;
  }

  private async keep(): Promise<void> {
    const { clock, logger } = this.settings;
    let complained = false;
    while (!this.closing.signal.aborted) {
      try {
        const connection = await this.dial();
        complained = false;
        this.current = connection;
        if (this.closing.signal.aborted) await connection.close();
        else await this.follow(connection);
      } catch (error) {
        // Once per outage: an attempt every quarter of a second would fill the log.
        if (!complained)
          logger.warn({ error, servers: this.settings.servers }, "the bus can't be reached; still trying");
        complained = true;
      }
      if (!this.closing.signal.aborted) await delay(clock, retryMs, this.closing.signal);
    }
  }

  private dial(): Promise<NatsConnection> {
    const { servers, name, credentials } = this.settings;
    return connect({
      ...credentials,
      servers: [...servers],
      name: `${name} ${this.purpose}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: retryMs,
      reconnectJitter: retryMs,
      // Two equal refusals would end the connection for good, also while a server is being set up anew.
      ignoreAuthErrorAbort: true,
      pingInterval: pingIntervalMs,
      maxPingOut: 2,
      timeout: 5_000,
      noAsyncTraces: true,
    });
  }

  /** Passes on the ups and downs of a connection until it is closed. */
  private async follow(connection: NatsConnection): Promise<void> {
    this.rise(connection);
    // Not waited for: the client doesn't end these news when it is closed.
    void this.passOn(connection);
    const error = await connection.closed();
    this.fall();
    if (error) this.settings.logger.warn({ error }, "the connection to the bus ended");
  }

  private async passOn(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === Events.Disconnect) this.fall();
      if (type === Events.Reconnect) this.rise(connection);
    }
  }

  private rise(connection: NatsConnection): void {
    if (this.isUp || connection.isClosed()) return;
    this.isUp = true;
    this.settings.logger.debug({ server: connection.getServer(), purpose: this.purpose }, "connected to the bus");
    for (const listener of this.listeners) listener.up(connection);
  }

  private fall(): void {
    if (!this.isUp) return;
    this.isUp = false;
    if (!this.closing.signal.aborted)
      this.settings.logger.warn({ purpose: this.purpose }, "the connection to the bus is lost; connecting again");
    for (const listener of this.listeners) listener.down();
  }
}
