import type { Channel } from "@grpc/grpc-js";
import {
  type Client,
  type CompatServiceDefinition,
  createClientFactory,
  createChannel as createNiceChannel,
} from "nice-grpc";
import { type DeadlineOptions, deadlineMiddleware } from "nice-grpc-client-middleware-deadline";
import { type ClientMiddleware, Metadata, Status } from "nice-grpc-common";
import { errorDetailsClientMiddleware } from "nice-grpc-error-details";
import { delay, systemClock } from "../clock/index.js";
import { noTelemetry, type Telemetry } from "../telemetry/index.js";
import { clientChannelOptions } from "./options.js";
import { ReasonError } from "./reasons.js";

export type { Channel } from "@grpc/grpc-js";

/** Settings of a client. */
export interface ClientOptions {
  /** Token for mutations. */
  readonly token?: string;
  /** Longest time of a unary call in milliseconds; default 10,000. Streams have none. */
  readonly timeoutMs?: number;
  /**
   * Repeats calls that ended UNAVAILABLE, up to four times with growing waits; default false. Only for calls that a repeat doesn't
   * harm: reads, and mutations with a request id.
   */
  readonly retry?: boolean;
  /** Tracing; default none. */
  readonly telemetry?: Telemetry;
}

/** Opens a channel to `host:port`. It connects by itself when it is used, and again after a break. Close it when done. */
export function createChannel(address: string): Channel {
  return createNiceChannel(address, undefined, clientChannelOptions);
}

/** A typed client of one service. Its calls fail with {@link ReasonError}. */
export function createClient<Service extends CompatServiceDefinition>(
  definition: Service,
  channel: Channel,
  options: ClientOptions = {},
): Client<Service> {
  // The middleware attached last is the outermost.
  const factory = createClientFactory()
    .use(errorDetailsClientMiddleware)
    .use(deadlineMiddleware)
    .use(callMiddleware(options));
  return factory.create(definition, channel) as unknown as Client<Service>;
}

const retries = { attempts: 5, firstMs: 50, factor: 3 };

/** Around every call: token, trace parent, deadline, retries; every error becomes a ReasonError. */
function callMiddleware({
  token,
  timeoutMs = 10_000,
  retry = false,
  telemetry = noTelemetry,
}: ClientOptions): ClientMiddleware<DeadlineOptions, DeadlineOptions> {
  return async function* middleware(call, options) {
    const isStream = call.requestStream || call.responseStream;
    // A stream has no span: it may last as long as the process, and its items carry trace parents of their own.
    const name = call.method.path.slice(1);
    const attributes = { "rpc.system.name": "grpc", "rpc.method": name };
    const span = !isStream && telemetry.enabled ? telemetry.startSpan(name, { kind: "client", attributes }) : undefined;
    const metadata = callMetadata(options.metadata, token, span?.traceParent ?? telemetry.activeTraceParent());
    const settings = isStream ? { ...options, metadata } : { deadline: timeoutMs, ...options, metadata };
    const attempts = retry && !isStream ? retries.attempts : 1;
    for (let attempt = 1, waitMs = retries.firstMs; ; attempt++, waitMs *= retries.factor) {
      try {
        const answer = yield* call.next(call.request as never, settings);
        span?.setAttribute("rpc.status_code", "OK");
        span?.end();
        return answer;
      } catch (error) {
        const reason = ReasonError.from(error);
        if (reason.status !== Status.UNAVAILABLE || attempt >= attempts || options.signal?.aborted) {
          span?.setAttribute("rpc.status_code", Status[reason.status]);
          span?.fail(reason.message);
          span?.end();
          throw reason;
        }
        await delay(systemClock, reason.details.retryAfterMs ?? waitMs, options.signal);
      }
    }
  };
}

function callMetadata(given: Metadata | undefined, token: string | undefined, parent: string): Metadata {
  const metadata = new Metadata(given);
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  if (parent !== "" && !metadata.has("traceparent")) metadata.set("traceparent", parent);
  return metadata;
}
