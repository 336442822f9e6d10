import { Metadata } from "nice-grpc-common";
import { readTraceContext, type TraceContext } from "../telemetry/index.js";

/** The trace context that a caller gave with its metadata; see {@link readTraceContext}. A header that was given in pieces is one. */
export function givenContext(metadata: Metadata): TraceContext {
  // Of several trace parents none can be right.
  const [traceParent = "", ...others] = textsOf(metadata, "traceparent");
  return readTraceContext({
    traceParent: others.length === 0 ? traceParent : "",
    traceState: textsOf(metadata, "tracestate").join(","),
    baggage: textsOf(metadata, "baggage").join(","),
  });
}

function textsOf(metadata: Metadata, name: string): string[] {
  return metadata.getAll(name).filter((value) => typeof value === "string");
}

/** Puts a trace context into metadata, where it isn't there already. */
export function giveContext(metadata: Metadata, { traceParent, traceState, baggage }: TraceContext): void {
  if (traceParent !== "" && !metadata.has("traceparent")) {
    metadata.set("traceparent", traceParent);
    if (traceState !== "") metadata.set("tracestate", traceState);
  }
  if (baggage !== "" && !metadata.has("baggage")) metadata.set("baggage", baggage);
}

/** The metadata of a call that carries a trace context. */
export function metadataOf(context: TraceContext): Metadata {
  const metadata = new Metadata();
  giveContext(metadata, context);
  return metadata;
}
