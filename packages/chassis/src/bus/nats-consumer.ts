import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, type NatsConnection, nanos } from "nats";
import type { GapReason, Settings } from "./nats-options.js";
import { apiErrors, isApiError, managing, type StreamKeeper } from "./nats-stream.js";

/** Which consumer, of what. */
export interface ConsumerNames {
  readonly stream: string;
  readonly consumer: string;
  /** Subject on the server. One: servers before 2.10 know no more per consumer. */
  readonly subject: string;
}

/** What the durable's consumer was found to be. */
export interface Joined {
  /** Why messages may have been missed since the last time; absent if none was. */
  readonly gap?: GapReason;
  /** The stream's generation that it belongs to. */
  readonly generation: number;
  /** A consumer that didn't exist before, so that acknowledgements for the earlier one mean nothing to it. */
  readonly isNew: boolean;
}

/** Messages delivered and not acknowledged, as multiple of a batch: one in the handler's hands, one waiting, one on its way. */
const unacknowledgedBatches = 4;
/** A durable that nobody has read for so long is forgotten; all that it hadn't read has expired by then. */
const forgottenAfterMs = 7 * 86_400_000;

/**
 * Makes sure that the consumer of a durable exists and stands inside the stream. One that has read beyond the stream's end, or may have,
 * would skip what is published next, so it is made anew.
 *
 * `before` is what this subscription found the last time; absent the first time. `resumeAt` is the sequence after the last one that it
 * acknowledged, 0 if none.
 */
export async function joinConsumer(
  connection: NatsConnection,
  keeper: StreamKeeper,
  settings: Settings,
  names: ConsumerNames,
  before: Joined | undefined,
  resumeAt: number,
): Promise<Joined> {
  const { consumers } = await connection.jetstreamManager(managing);
  // The consumer is read before the stream: the other way round it might be ahead of an older answer.
  let existing = await infoOf(connection, names);
  const { info, generation } = await keeper.look(connection);
  const lost = before !== undefined && before.generation !== generation;
  const beyond =
    existing !== undefined &&
    Math.max(existing.ack_floor.stream_seq, existing.delivered.stream_seq) > info.state.last_seq;
  // After a loss even a consumer that stands inside the stream may have been put there before we knew, by the old stream's numbers.
  if (existing && (lost || beyond)) {
    await consumers.delete(names.stream, names.consumer);
    existing = undefined;
  }
  const isNew = existing === undefined;
  if (!existing) {
    const start = lost || beyond ? fromTheBeginning : before ? resumingAt(resumeAt) : fromNowOn;
    await consumers.add(names.stream, { ...configOf(settings, names), ...start });
  }
  const gap: GapReason | undefined = lost
    ? keeper.lossReason
    : beyond
      ? "stream rolled back"
      : before && isNew
        ? "consumer lost"
        : undefined;
  return { ...(gap ? { gap } : {}), generation, isNew };
}

/** All that a new stream holds is news to us. After a roll-back nobody knows what is; doubled messages harm nobody. */
const fromTheBeginning = { deliver_policy: DeliverPolicy.All } as const;
const fromNowOn = { deliver_policy: DeliverPolicy.New } as const;

function resumingAt(sequence: number): Pick<ConsumerConfig, "deliver_policy" | "opt_start_seq"> {
  return sequence > 0 ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: sequence } : fromNowOn;
}

function configOf(settings: Settings, names: ConsumerNames): Partial<ConsumerConfig> {
  return {
    durable_name: names.consumer,
    filter_subject: names.subject,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(settings.ackWaitMs),
    max_deliver: -1,
    max_ack_pending: unacknowledgedBatches * settings.batchMax,
    inactive_threshold: nanos(forgottenAfterMs),
  };
}

async function infoOf(connection: NatsConnection, names: ConsumerNames): Promise<ConsumerInfo | undefined> {
  const { consumers } = await connection.jetstreamManager(managing);
  try {
    return await consumers.info(names.stream, names.consumer);
  } catch (error) {
    if (isApiError(error, apiErrors.consumerNotFound) || isApiError(error, apiErrors.streamNotFound)) return undefined;
    throw error;
  }
}
