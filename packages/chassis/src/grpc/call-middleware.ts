import { beginsTrace, needs, redactorOf } from "@berth/contracts";
import { givenContext, ReasonError } from "@berth/wire/grpc";
import { type CallContext, ServerError, type ServerMiddleware, Status } from "nice-grpc-common";
import { Counter, Histogram, type Registry } from "prom-client";
import { describe } from "../errors/index.js";
import type { Logger } from "../log/index.js";
import type { Telemetry, TraceContext } from "../telemetry/index.js";
import { bringsToken } from "./token.js";
import { readableOnly, UnreadableRequest } from "./unreadable.js";

/** What the middleware of a server needs. */
export interface CallMiddlewareOptions {
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly token: string | undefined;
  readonly telemetry: Telemetry;
  /** Lets an answer leave, or rejects. */
  readonly fence: (() => Promise<void> | undefined) | undefined;
  /** Aborts when the server stops: streams then end. */
  readonly stopping: AbortSignal;
}

/** Around every call: the token, one span and the metrics, and errors as callers should see them. */
export function callMiddleware(options: CallMiddlewareOptions): ServerMiddleware {
  const { telemetry, stopping } = options;
  const meter = callMeter(options.metrics);
  const trusts = bringsToken(options.token);

  return async function* middleware(call, context) {
    const [service = "", method = ""] = call.method.path.slice(1).split("/");
    const finish = meter(service, method, call.requestStream || call.responseStream);
    let status: Status = Status.OK;
    // What a handler has refused rests on its service's truth as much as an answer does: both are told by a leader only.
    let fence: CallMiddlewareOptions["fence"];
    try {
      const trusted = authorize(trusts(context), service, method, context);
      const redact = trusted ? undefined : redactorOf(`${service}/${method}`);
      if (call.request instanceof UnreadableRequest) throw call.request.toError(method);
      const request = call.requestStream ? readableOnly(call.request, method) : call.request;
      fence = service.startsWith("grpc.") ? undefined : options.fence;
      if (call.responseStream) {
        const stream = linkedSignal(context.signal, stopping);
        try {
          const messages = call.next(request, { ...context, signal: stream.signal });
          for await (const message of messages) {
            await fence?.();
            yield redact ? redact(message) : message;
          }
          // An end without an error says that there is no more. A stream cut off by our stopping must not look like that.
          if (stopping.aborted && !context.signal.aborted) throw stoppingError();
          return;
        } finally {
          stream.release();
        }
      }
      const given = telemetry.enabled && !call.requestStream ? givenContext(context.metadata) : undefined;
      if (!given || (given.traceParent === "" && !beginsTrace(`${service}/${method}`))) {
        const answer = yield* call.next(request, context);
        await fence?.();
        return redact && answer ? redact(answer) : answer;
      }
      return await traced(telemetry, `${service}/${method}`, given, async () => {
        const step = await call.next(call.request, context).next();
        await fence?.();
        return (redact ? redact(step.value) : step.value) as never;
      });
    } catch (thrown) {
      const error = await fenced(thrown, fence);
      const told = asServerError(error, options, `${service}/${method}`);
      status = told.code;
      throw told;
    } finally {
      finish(status);
    }
  };
}

/** A refusal of a handler, or why it may not leave. What isn't an answer (an abort, a fault, that we stop) needs no leave. */
async function fenced(thrown: unknown, fence: CallMiddlewareOptions["fence"]): Promise<unknown> {
  if (!(thrown instanceof ReasonError) || serverFaults.has(thrown.status)) return thrown;
  try {
    await fence?.();
    return thrown;
  } catch (lost) {
    return lost;
  }
}

/** True if the caller brought the token, or none is asked. @throws ReasonError if the method needs it and the caller didn't. */
function authorize(trusted: boolean, service: string, method: string, context: CallContext): boolean {
  if (trusted) return true;
  if (needs[`${service}/${method}`] === "open") return false;
  const what = context.metadata.get("authorization") === undefined ? "needs a token" : "was called with a wrong token";
  throw new ReasonError(
    "UNAUTHENTICATED",
    `${method} ${what}: send the header "authorization: Bearer <token>"; the token is in the file "token" of the data folder`,
  );
}

async function traced<Result>(
  telemetry: Telemetry,
  name: string,
  given: TraceContext,
  handle: () => Promise<Result>,
): Promise<Result> {
  const attributes = { "rpc.system.name": "grpc", "rpc.method": name };
  const { traceParent: parent, traceState: parentState } = given;
  const span = telemetry.startSpan(name, { kind: "server", attributes, parent, parentState });
  try {
    const result = await span.run(handle);
    span.setAttribute("rpc.status_code", "OK");
    return result;
  } catch (error) {
    const status = error instanceof ReasonError ? error.status : Status.UNKNOWN;
    span.setAttribute("rpc.status_code", Status[status]);
    if (serverFaults.has(status)) span.fail(describe(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Statuses that are the server's fault; the others are answers. (OpenTelemetry's conventions for gRPC.) */
const serverFaults = new Set([
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.UNIMPLEMENTED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
  Status.DATA_LOSS,
]);

function asServerError(error: unknown, { logger, stopping }: CallMiddlewareOptions, method: string): ServerError {
  if (error instanceof ServerError) return error;
  if (error instanceof ReasonError) {
    if (error.reason === "INTERNAL") logger.error({ err: error, method }, "a call failed");
    return error.toServerError();
  }
  if (error instanceof Error && error.name === "AbortError") {
    if (stopping.aborted) return stoppingError().toServerError();
    return new ReasonError("CANCELLED", "the caller went away").toServerError();
  }
  logger.error({ err: error, method }, "a call failed");
  return new ReasonError("INTERNAL", `internal error in ${method}; the log of the service says more`).toServerError();
}

function stoppingError(): ReasonError {
  return new ReasonError("NOT_READY", "the service is stopping; connect again", { retryAfterMs: 500 });
}

/** A signal that aborts with either of two, and lets go of both when the call is over. */
function linkedSignal(first: AbortSignal, second: AbortSignal): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const release = (): void => {
    first.removeEventListener("abort", abort);
    second.removeEventListener("abort", abort);
  };
  if (first.aborted || second.aborted) controller.abort();
  first.addEventListener("abort", abort);
  second.addEventListener("abort", abort);
  return { signal: controller.signal, release };
}

function callMeter(registry: Registry): (service: string, method: string, stream: boolean) => (status: Status) => void {
  const labels = ["grpc_service", "grpc_method", "grpc_type"] as const;
  const registers = [registry];
  const started = new Counter({
    name: "grpc_server_started_total",
    help: "Calls that began.",
    labelNames: labels,
    registers,
  });
  const handled = new Counter({
    name: "grpc_server_handled_total",
    help: "Calls that ended.",
    labelNames: [...labels, "grpc_code"],
    registers,
  });
  const seconds = new Histogram({
    name: "grpc_server_handling_seconds",
    help: "Time that unary calls took.",
    labelNames: labels,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  return (service, method, stream) => {
    const of = { grpc_service: service, grpc_method: method, grpc_type: stream ? "stream" : "unary" };
    started.inc(of);
    const stop = stream ? undefined : seconds.startTimer(of);
    return (status) => {
      stop?.();
      handled.inc({ ...of, grpc_code: Status[status] });
    };
  };
}
