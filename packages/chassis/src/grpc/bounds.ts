import { z } from "zod";

/** Settings of every gRPC server that bound what strangers can hold of it; part of each service's schema. */
export const grpcBoundsShape = {
  /** Most streams that one connection holds open; a further one is refused. Below the 500 calls that a connection may have at once. */
  streamsPerConnection: z.int().min(1).max(400).default(200),
  /** Most streams of callers without the token, in all: each may make the server hold some hundred kilobytes that nobody reads. */
  readerStreamsMax: z.int().min(1).max(100_000).default(500),
  /** Most streams of callers with the token (runners, services), in all; of everybody where no token is asked for. */
  streamsMax: z.int().min(1).max(1_000_000).default(10_000),
  /** Most gRPC connections; a further one is closed at once. */
  connectionsMax: z.int().min(1).max(100_000).default(4_000),
};

const schema = z.object(grpcBoundsShape);

/** Checked bounds of a gRPC server. */
export type GrpcBounds = Readonly<z.output<typeof schema>>;

/** The bounds, where nothing was said otherwise. */
export function grpcBounds(given: Partial<GrpcBounds> = {}): GrpcBounds {
  return schema.parse(given);
}
