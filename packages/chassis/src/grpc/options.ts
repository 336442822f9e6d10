import type { ChannelOptions } from "@grpc/grpc-js";

/** Largest message that is taken: the 4 MiB that a submission may have, and room around it. */
export const receivedBytesMax = 5 * 1024 * 1024;
/** Largest message that is sent; streams keep theirs far below. */
const sentBytesMax = 16 * 1024 * 1024;

/** How often each end of a connection makes the other say something. */
const keepaliveMs = 3_000;
/** grpc-js's own time-out for the answer, which never counts: see `silence.ts`. Above every silence, and still a bound. */
const keepaliveTimeoutMs = 3_600_000;

/** A service that is dead or stopped is noticed within this: no later than a standby needs to take over. */
export const silentServiceMsMax = 7_000;
/** A caller that is gone without a word is noticed within this. Nobody waits for that; one that computes for some seconds needn't come again. */
export const silentCallerMsMax = 30_000;

/** A connection without any call is closed after so long; clients connect anew with their next call. */
const connectionIdleMs = 300_000;

/** Options of every server. */
export const serverChannelOptions: ChannelOptions = {
  "grpc.max_receive_message_length": receivedBytesMax,
  "grpc.max_send_message_length": sentBytesMax,
  "grpc.max_concurrent_streams": 500,
  "grpc.max_connection_idle_ms": connectionIdleMs,
  "grpc.keepalive_time_ms": keepaliveMs,
  "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
  "grpc.keepalive_permit_without_calls": 1,
};

/** Options of every client channel. */
export const clientChannelOptions: ChannelOptions = {
  "grpc.max_receive_message_length": sentBytesMax,
  "grpc.max_send_message_length": sentBytesMax,
  "grpc.keepalive_time_ms": keepaliveMs,
  "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  // Proxy variables of the environment are for the web, not for calls between the services.
  "grpc.enable_http_proxy": 0,
  // A peer that accepts and then says nothing would otherwise hold every channel to that address (grpc-node#2785).
  "grpc.use_local_subchannel_pool": 1,
};
