import { ReasonError } from "@berth/wire/grpc";
import type { CallContext, ServerMiddleware } from "nice-grpc-common";
import { Gauge, type Registry } from "prom-client";
import type { GrpcBounds } from "./bounds.js";

const retryAfterMs = 5_000;

/**
 * Lets a stream begin if its connection and its kind of caller have a place left, and ends it once its caller is gone. Every stream of every
 * service passes here, because it stands in the server and not in the services. Callers with the token have places of their own: readers
 * that take all of theirs can't keep a runner or a service out.
 */
export function boundStreams(
  bounds: GrpcBounds,
  trusted: (context: CallContext) => boolean,
  metrics: Registry,
): ServerMiddleware {
  const perConnection = new Map<string, number>();
  const open = { reader: 0, trusted: 0 };
  exportStreams(metrics, open);

  return async function* bounded(call, context) {
    if (!call.requestStream && !call.responseStream) return yield* call.next(call.request, context);
    const kind = trusted(context) ? "trusted" : "reader";
    const { peer } = context;
    const held = perConnection.get(peer) ?? 0;
    if (held >= bounds.streamsPerConnection) throw refusal("streamsPerConnection", bounds, "this connection");
    const most = kind === "trusted" ? "streamsMax" : "readerStreamsMax";
    if (open[kind] >= bounds[most])
      throw refusal(most, bounds, kind === "trusted" ? "this server" : "this server, by callers without the token,");
    perConnection.set(peer, held + 1);
    open[kind]++;
    try {
      if (!call.responseStream) return yield* call.next(call.request, context);
      for await (const message of call.next(call.request, context)) {
        // What a stream yields between two looks at the network would otherwise go on for a caller who has long gone.
        if (context.signal.aborted) return undefined;
        yield message;
      }
      return undefined;
    } finally {
      const left = (perConnection.get(peer) ?? 1) - 1;
      if (left === 0) perConnection.delete(peer);
      else perConnection.set(peer, left);
      open[kind]--;
    }
  };
}

function refusal(name: keyof GrpcBounds, bounds: GrpcBounds, where: string): ReasonError {
  return new ReasonError(
    "TOO_MANY_STREAMS",
    `${bounds[name]} streams are open on ${where} already, which is the bound ${name}: close some and open it again, or ask the operator for a higher bound`,
    { retryAfterMs, quotas: [{ subject: name, description: `at most ${bounds[name]}` }] },
  );
}

function exportStreams(metrics: Registry, open: Readonly<Record<"reader" | "trusted", number>>): void {
  new Gauge({
    name: "berth_grpc_streams",
    help: "Streams that are open, by callers with the token (trusted; everybody where none is asked for) and without (reader).",
    labelNames: ["caller"],
    registers: [metrics],
    collect() {
      for (const [caller, count] of Object.entries(open)) this.set({ caller }, count);
    },
  });
}
