import type { ChannelOptions } from "@grpc/grpc-js";

/** Largest message that is sent; streams keep theirs far below. */
const sentBytesMax = 16 * 1024 * 1024;

/** How often each end of a connection makes the other say something. */
const keepaliveMs = 3_000;
/** grpc-js's own time-out for the answer, which never counts: see `silence.ts`. Above every silence, and still a bound. */
const keepaliveTimeoutMs = 3_600_000;

/** A service that is dead or stopped is noticed within this: no later than a standby needs to take over. */
export const silentServiceMsMax = 7_000;

/** Options of both ends of a connection: at most 16 MiB in a message, and a ping every 3 s, with calls or without. */
export const bothEndsOptions: ChannelOptions = {
  "grpc.max_send_message_length": sentBytesMax,
  "grpc.keepalive_time_ms": keepaliveMs,
  "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
  "grpc.keepalive_permit_without_calls": 1,
};

/** Options of every client channel. */
export const clientChannelOptions: ChannelOptions = {
  ...bothEndsOptions,
  "grpc.max_receive_message_length": sentBytesMax,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // Proxy variables of the environment are for the web, not for calls between the services.
  "grpc.enable_http_proxy": 0,
  // A peer that accepts and then says nothing would otherwise hold every channel to that address (grpc-node#2785).
  "grpc.use_local_subchannel_pool": 1,
};
