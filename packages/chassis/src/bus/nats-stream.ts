import {
  DiscardPolicy,
  type NatsConnection,
  type NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from "nats";
import { describe } from "../errors/index.js";
import type { StreamNames } from "./nats-names.js";
import { duplicateWindowMs, type GapReason, type Settings } from "./nats-options.js";

/** The server's own error codes. */
export const apiErrors = {
  consumerNotFound: 10_014,
  streamNameInUse: 10_058,
  streamNotFound: 10_059,
  storeFailed: 10_077,
} as const;

/** Whether an error is the server's refusal with that code. */
export function isApiError(error: unknown, code: number): boolean {
  return (error as NatsError | undefined)?.api_error?.err_code === code;
}

/** How the server is asked about streams and consumers. Answers are quick; one that a lost connection took with it isn't worth a long wait. */
export const managing = { checkAPI: false, timeout: 2_000 } as const;

/** What became of the stream since it was looked at before. */
export interface Look {
  readonly info: StreamInfo;
  /** Grows by one whenever the stream turns out to be another one, or shorter than it was. */
  readonly generation: number;
}

/**
 * Makes the environment's stream and remembers what is known of it: when it was created, and the highest sequence that we saw
 * acknowledged or delivered. A stream created at another moment, or one that ends before that sequence, has lost messages.
 */
export class StreamKeeper {
  private readonly settings: Settings;
  private readonly names: StreamNames;
  private readonly onLoss: () => void;
  private created: string | undefined;
  private highest = 0;
  private generation = 0;
  /** Answers that have been compared with what is remembered. */
  private compared = 0;
  private complaint = "";
  /** How the last generation began. */
  lossReason: GapReason = "stream recreated";

  /** `onLoss` is called at the beginning of every generation but the first. */
  constructor(settings: Settings, names: StreamNames, onLoss: () => void) {
    this.settings = settings;
    this.names = names;
    this.onLoss = onLoss;
  }

  /** How to note, later on, a sequence that the stream of now has. Once that stream is lost it does nothing: the numbers mean others then. */
  witness(): (sequence: number) => void {
    const { generation } = this;
    return (sequence) => {
      if (generation === this.generation && sequence > this.highest) this.highest = sequence;
    };
  }

  /**
   * Makes the stream if it isn't there, and compares it with what is remembered. The answer is no older than the call.
   *
   * Looks overtake each other, since there are two connections. An answer that shows a loss counts only if no other was compared while it
   * travelled: it may be the older of the two and take the new stream for the old, or repeat a loss that is known. Then we ask again.
   */
  async look(connection: NatsConnection): Promise<Look> {
    for (;;) {
      // Taken before asking: what we see while the answer travels may be newer than the answer.
      const { highest, compared } = this;
      const info = await this.infoOrNew(connection).catch((error: unknown) => this.complain(error));
      this.complaint = "";
      const loss = this.lossIn(info, highest);
      if (loss && compared !== this.compared) continue;
      this.compared += 1;
      this.created = info.created;
      if (loss) this.begin(loss, info, highest);
      return { info, generation: this.generation };
    }
  }

  /** Once per kind of trouble: whoever looks tries again and again. */
  private complain(error: unknown): never {
    const complaint = describe(error);
    if (complaint !== this.complaint) {
      const text = "the stream of the bus can't be opened; still trying";
      this.settings.logger.warn({ error, stream: this.names.stream }, text);
    }
    this.complaint = complaint;
    throw error;
  }

  private lossIn(info: StreamInfo, seen: number): GapReason | undefined {
    if (this.created !== undefined && info.created !== this.created) return "stream recreated";
    return info.state.last_seq < seen ? "stream rolled back" : undefined;
  }

  private begin(reason: GapReason, info: StreamInfo, seen: number): void {
    this.settings.logger.error(
      { stream: this.names.stream, reason, created: info.created, lastSequence: info.state.last_seq, seen },
      "the stream of the bus has lost messages; readers catch up by cursor",
    );
    this.lossReason = reason;
    this.highest = info.state.last_seq;
    this.generation += 1;
    this.onLoss();
  }

  private async infoOrNew(connection: NatsConnection): Promise<StreamInfo> {
    const { streams } = await connection.jetstreamManager(managing);
    const { stream } = this.names;
    try {
      return await this.withOurLimits(await streams.info(stream), connection);
    } catch (error) {
      if (!isApiError(error, apiErrors.streamNotFound)) throw error;
    }
    try {
      return await streams.add({
        name: stream,
        subjects: [this.names.all],
        retention: RetentionPolicy.Limits,
        discard: DiscardPolicy.New,
        storage: StorageType.File,
        deny_delete: true,
        deny_purge: true,
        ...this.limits(),
      });
    } catch (error) {
      // Another process made it at the same moment, with limits of its own.
      if (isApiError(error, apiErrors.streamNameInUse)) return await streams.info(stream);
      throw error;
    }
  }

  /** Brings the limits of an existing stream to ours; the process that starts last decides. */
  private async withOurLimits(info: StreamInfo, connection: NatsConnection): Promise<StreamInfo> {
    // Only for the first look: two processes with different limits shall not pull at it for ever.
    if (this.created !== undefined) return info;
    const wanted = this.limits();
    const differs = Object.entries(wanted).some(([name, value]) => info.config[name as keyof typeof wanted] !== value);
    if (!differs) return info;
    const { streams } = await connection.jetstreamManager(managing);
    return await streams.update(this.names.stream, wanted);
  }

  private limits(): { max_age: number; max_bytes: number; num_replicas: number; duplicate_window: number } {
    const { maxAgeMs, maxBytes, replicas } = this.settings;
    return {
      max_age: nanos(maxAgeMs),
      max_bytes: maxBytes,
      num_replicas: replicas,
      duplicate_window: nanos(duplicateWindowMs),
    };
  }
}
