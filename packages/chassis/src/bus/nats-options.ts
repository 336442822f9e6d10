import type { ConnectionOptions } from "nats";
import type { BusOptions } from "./port.js";

/** Why a receiver may have missed messages. */
export type GapReason =
  /** The stream that we knew is gone and there is a new one: the server lost its store, or somebody deleted it. */
  | "stream recreated"
  /** The stream ends before messages that we know were in it: its store was restored or lost its tail. */
  | "stream rolled back"
  /** The server forgot how far this durable had read. */
  | "consumer lost"
  /** The connection was away; what others published meanwhile may have reached nobody. */
  | "reconnected"
  /** `subscribe` returned before the server answered; it hears from now on. */
  | "joined late";

/** A receiver may have missed messages and should read by cursor. */
export interface Gap {
  /** Name of the subject. */
  readonly subject: string;
  readonly durable: string;
  readonly reason: GapReason;
}

/** A message that can't be decoded. The server won't deliver it again. */
export interface Poison {
  readonly subject: string;
  readonly durable: string;
  /** Its place in the stream, by which it can be looked at. */
  readonly sequence: number;
  readonly error: unknown;
}

/** Counts since the beginning, for metrics. */
export interface NatsFigures {
  /** Messages that the stream has acknowledged, and those of them that it already had. */
  readonly published: number;
  readonly duplicates: number;
  /** Messages given up: the buffer was full, the wait too long, or the stream refused them. */
  readonly refused: number;
  /** Messages that wait for the stream's acknowledgement now. */
  readonly unacknowledged: number;
  /** Messages that a handler has accepted. */
  readonly received: number;
  /** Times a handler rejected. */
  readonly rejected: number;
  readonly poisoned: number;
  readonly gaps: number;
}

/** What the bus on NATS needs. */
export interface NatsBusOptions extends Pick<BusOptions, "clock" | "logger" | "telemetry"> {
  /** Such as `nats://127.0.0.1:4222`; several of one cluster. */
  readonly servers: readonly string[];
  /** Keeps environments on one server apart: the stream is `BERTH_<prefix>`. Letters, digits, `_` and `-`, at most 32. */
  readonly prefix: string;
  /** Name of the connections on the server. Default: berth. */
  readonly name?: string;
  /** How we show who we are. */
  readonly credentials?: Pick<ConnectionOptions, "user" | "pass" | "token" | "tls" | "authenticator" | "inboxPrefix">;
  /** How long messages are kept. Default: 1 hour. At least the duplicate window of 10 minutes. */
  readonly maxAgeMs?: number;
  /** Size of the stream; at it publishing is refused until old messages expire. Default: 1 GiB. */
  readonly maxBytes?: number;
  /** Copies in a cluster: 1, 3 or 5. Default: 1. */
  readonly replicas?: number;
  /** Messages sent and not yet acknowledged by the stream. Default: 1,000. */
  readonly maxInFlight?: number;
  /** Messages that wait to be sent, while disconnected too; beyond it `publish` rejects. Default: 10,000. */
  readonly maxBuffered?: number;
  /** Bytes of those messages. Default: 32 MiB. */
  readonly maxBufferedBytes?: number;
  /** Longest wait of `publish` for the stream's acknowledgement. Default: 30 s. */
  readonly publishWithinMs?: number;
  /** Longest wait of `subscribe` for the server; then it returns and joins later. Default: 5 s. */
  readonly joinWithinMs?: number;
  /** How long the server waits for an acknowledgement before it delivers again; kept up while a handler works. Default: 10 s. */
  readonly ackWaitMs?: number;
  /** Messages in one call of a handler, at most. Default: 500. */
  readonly batchMax?: number;
  /** How often the stream is compared with what we remember of it. Default: 30 s. */
  readonly checkEveryMs?: number;
  /** Hears about messages that can't be decoded. They are logged in any case. */
  readonly onPoison?: (poison: Poison) => void;
}

/** The options with nothing left open. */
export type Settings = Required<Omit<NatsBusOptions, "telemetry" | "onPoison" | "credentials">> &
  Pick<NatsBusOptions, "telemetry" | "onPoison" | "credentials">;

/** Messages with the id of one that came within this window are dropped by the stream. */
export const duplicateWindowMs = 600_000;

/** Fills in defaults. @throws Error naming the option and its bounds. */
export function settle(options: NatsBusOptions): Settings {
  const settings: Settings = {
    name: "berth",
    // An hour, not days: readers that were away longer read by cursor, and a full stream refuses what is new.
    maxAgeMs: 3_600_000,
    maxBytes: 2 ** 30,
    replicas: 1,
    maxInFlight: 1_000,
    maxBuffered: 10_000,
    maxBufferedBytes: 32 * 2 ** 20,
    publishWithinMs: 30_000,
    joinWithinMs: 5_000,
    // Short, since a claim is kept up while a handler works: it is how long messages wait that were on their way to a lost connection.
    ackWaitMs: 10_000,
    batchMax: 500,
    checkEveryMs: 30_000,
    ...options,
  };
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(settings.prefix))
    throw new Error(
      `bus prefix ${JSON.stringify(settings.prefix)} isn't a name: take 1 to 32 letters, digits, "_" or "-", such as "production"`,
    );
  if (settings.servers.length === 0)
    throw new Error("bus servers is empty: give at least one, such as nats://127.0.0.1:4222");
  for (const [name, least] of [
    ["maxAgeMs", duplicateWindowMs],
    ["maxBytes", 2 ** 20],
    ["replicas", 1],
    ["maxInFlight", 1],
    ["maxBuffered", 1],
    ["maxBufferedBytes", 1],
    ["publishWithinMs", 1],
    ["joinWithinMs", 0],
    ["ackWaitMs", 1_000],
    ["batchMax", 1],
    ["checkEveryMs", 100],
  ] as const) {
    const value = settings[name];
    if (!Number.isSafeInteger(value) || value < least)
      throw new Error(`bus ${name}: ${value} isn't a whole number of at least ${least}`);
  }
  return settings;
}
