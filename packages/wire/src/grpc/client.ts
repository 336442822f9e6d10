import { beginsTrace } from "@berth/contracts";
import { Channel } from "@grpc/grpc-js";
import { type Client, type CompatServiceDefinition, createClientFactory } from "nice-grpc";
import { type DeadlineOptions, deadlineMiddleware } from "nice-grpc-client-middleware-deadline";
import { type ClientMiddleware, Metadata, Status } from "nice-grpc-common";
import { errorDetailsClientMiddleware } from "nice-grpc-error-details";
import { BackOff, delay, systemClock } from "../clock/index.js";
import { parseAddresses } from "../config/addresses.js";
import { activeTraceContext, noTelemetry, type Telemetry } from "../telemetry/index.js";
import { clientChannelOptions, silentServiceMsMax } from "./options.js";
import { placesScheme, registerPlaces } from "./places.js";
import { ReasonError } from "./reasons.js";
import { SilenceCredentials } from "./silence.js";
import { giveContext } from "./trace-context.js";

export type { Channel } from "@grpc/grpc-js";

/** Settings of a client. */
export interface ClientOptions {
  /** Token for mutations. */
  readonly token?: string;
  /** Longest time of one try of a unary call in milliseconds; default 10,000. A call's own `deadline` bounds all of its tries. Streams have none. */
  readonly timeoutMs?: number;
  /**
   * Repeats calls that ended UNAVAILABLE, with growing waits, for `retryForMs`; default false. Only for calls that a repeat doesn't
   * harm: reads, and mutations with a request id.
   */
  readonly retry?: boolean;
  /** From the first failure of a call, however long it took until then. Milliseconds; default 2,500, or 20,000 where the channel has several addresses: a standby needs up to 10 s to take over. */
  readonly retryForMs?: number;
  /** Tracing; default none. */
  readonly telemetry?: Telemetry;
}

/**
 * Opens a channel to `host:port`, or to the first that answers of several (`a:50051,b:50051`): those of a service and its standbys. It
 * connects by itself when it is used, and again, to whichever answers then, after a break; a peer that is silent for 7 s of this process's own life counts as one. Close it when
 * done. @throws Error if that isn't an address.
 */
export function createChannel(address: string): Channel {
  const places = parseAddresses(address).map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`);
  registerPlaces();
  const credentials = new SilenceCredentials(silentServiceMsMax);
  return new Channel(`${placesScheme}:${places.join(",")}`, credentials, clientChannelOptions);
}

/** A typed client of one service. Its calls fail with {@link ReasonError}. */
export function createClient<Service extends CompatServiceDefinition>(
  definition: Service,
  channel: Channel,
  options: ClientOptions = {},
): Client<Service, DeadlineOptions> {
  // The middleware attached last is the outermost.
  const factory = createClientFactory()
    .use(errorDetailsClientMiddleware)
    .use(deadlineMiddleware)
    .use(callMiddleware(options, channel.getTarget().includes(",") ? retries.forOtherPlaceMs : retries.forMs));
  return factory.create(definition, channel) as unknown as Client<Service, DeadlineOptions>;
}

const retries = { firstMs: 50, factor: 3, mostMs: 1_500, forMs: 2_500, forOtherPlaceMs: 20_000 };

/** Around every call: token, trace parent, deadline, retries; every error becomes a ReasonError. */
function callMiddleware(
  { token, timeoutMs = 10_000, retry = false, retryForMs, telemetry = noTelemetry }: ClientOptions,
  usualRetryMs: number,
): ClientMiddleware<DeadlineOptions, DeadlineOptions> {
  return async function* middleware(call, options) {
    const isStream = call.requestStream || call.responseStream;
    // A stream has no span: it may last as long as the process, and its items carry trace parents of their own.
    const name = call.method.path.slice(1);
    const attributes = { "rpc.system.name": "grpc", "rpc.method": name };
    const active = activeTraceContext();
    const isTraced = telemetry.enabled && !isStream && (active.traceParent !== "" || beginsTrace(name));
    const span = isTraced ? telemetry.startSpan(name, { kind: "client", attributes }) : undefined;
    const metadata = callMetadata(options.metadata, token);
    giveContext(metadata, { ...active, ...(span && { traceParent: span.traceParent }) });
    const endMs = endOf(options.deadline);
    const repeatForMs = retry && !isStream ? (retryForMs ?? usualRetryMs) : 0;
    let untilMs: number | undefined;
    const backOff = new BackOff(systemClock, retries);
    for (;;) {
      // What the caller gave is for the whole call; each try gets what is left of it.
      const deadline = endMs === Number.POSITIVE_INFINITY ? timeoutMs : Math.max(0, endMs - systemClock.monoMs());
      const settings = isStream ? { ...options, metadata } : { ...options, deadline, metadata };
      try {
        const answer = yield* call.next(call.request as never, settings);
        span?.setAttribute("rpc.status_code", "OK");
        span?.end();
        return answer;
      } catch (error) {
        const reason = asSeenByCaller(ReasonError.from(error), options.signal);
        const pauseMs = reason.details.retryAfterMs ?? backOff.nextMs;
        const nowMs = systemClock.monoMs();
        untilMs ??= Math.min(endMs, nowMs + repeatForMs);
        const late = nowMs + pauseMs >= untilMs;
        if (reason.status !== Status.UNAVAILABLE || late || options.signal?.aborted) {
          span?.setAttribute("rpc.status_code", Status[reason.status]);
          span?.fail(reason.message);
          span?.end();
          throw reason;
        }
        backOff.take();
        await delay(systemClock, pauseMs, options.signal);
      }
    }
  };
}

/**
 * A call that its caller didn't cancel and that ended so all the same was cut off with its connection: by a server that stopped without waiting for
 * it. Whether it took effect is as unknown as after any break, and HTTP/2's word for it is no answer.
 */
function asSeenByCaller(reason: ReasonError, signal: AbortSignal | undefined): ReasonError {
  const cutOff =
    (reason.reason === "CANCELLED" && !signal?.aborted) ||
    (reason.reason === "INTERNAL" && reason.message.startsWith("Received RST_STREAM"));
  if (!cutOff) return reason;
  return new ReasonError("UNREACHABLE", "the service ended the connection before it answered", { cause: reason });
}

/** When a call must be over by the caller's word, interval clock. */
function endOf(deadline: DeadlineOptions["deadline"]): number {
  if (deadline === undefined) return Number.POSITIVE_INFINITY;
  const leftMs = deadline instanceof Date ? deadline.getTime() - systemClock.wallMs() : deadline;
  return systemClock.monoMs() + leftMs;
}

function callMetadata(given: Metadata | undefined, token: string | undefined): Metadata {
  const metadata = new Metadata(given);
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}
