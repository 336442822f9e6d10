import { bothEndsOptions } from "@berth/wire/grpc";
import type { ChannelOptions } from "@grpc/grpc-js";

/** Largest message that is taken: the 4 MiB that a submission may have, and room around it. */
const receivedBytesMax = 5 * 1024 * 1024;

/** A caller that is gone without a word is noticed within this. Nobody waits for that; one that computes for some seconds needn't come again. */
export const silentCallerMsMax = 30_000;

/** A connection without any call is closed after so long; clients connect anew with their next call. */
const connectionIdleMs = 300_000;

/** Options of every server. */
export const serverChannelOptions: ChannelOptions = {
  ...bothEndsOptions,
  "grpc.max_receive_message_length": receivedBytesMax,
  "grpc.max_concurrent_streams": 500,
  "grpc.max_connection_idle_ms": connectionIdleMs,
};
