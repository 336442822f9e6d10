import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "../log/index.js";
import { traceEndpoint } from "./environment.js";
import { activeTraceParent } from "./traceparent.js";

export { activeTraceContext, noTraceContext, readTraceContext, type TraceContext } from "./carried.js";
export { annotateActive, isTraceParent, traceIdOf } from "./traceparent.js";

/** What a span is about, seen from this process. */
export type SpanRole = "server" | "client" | "producer" | "consumer" | "internal";

/** How a span begins. */
export interface SpanOptions {
  /** W3C traceparent of the parent. Absent: the active span. Empty or malformed: a new trace. */
  readonly parent?: string;
  /** W3C tracestate of the parent; default none. */
  readonly parentState?: string;
  /** Makes it the root that {@link Telemetry.newTrace} promised, with no parent. Nothing is recorded of one that isn't sampled. */
  readonly root?: string;
  /** Default: internal. */
  readonly kind?: SpanRole;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  /** Traceparents of spans that this one has to do with, without being their child. Malformed ones are left out. */
  readonly links?: readonly string[];
  /** Wall clock, milliseconds since 1970. Default: now. */
  readonly startWallMs?: number;
}

/** A span that has begun. */
export interface TraceSpan {
  /** W3C traceparent that makes other spans its children; empty while tracing is off. */
  readonly traceParent: string;
  setAttribute(name: string, value: string | number | boolean): void;
  /** Marks the span as failed. */
  fail(message: string): void;
  /** Ends the span, now or at a moment of the wall clock. Only the first call counts. */
  end(endWallMs?: number): void;
  /** Runs a function with this span active: logs carry its ids, spans begun inside are its children, along `await` too. */
  run<T>(fn: () => T): T;
}

/** Tracing of one service. */
export interface Telemetry {
  /** False: nothing is recorded and every traceparent is empty. */
  readonly enabled: boolean;
  startSpan(name: string, options?: SpanOptions): TraceSpan;
  /**
   * Traceparent for a trace whose root span will be begun and ended later, maybe by another process: by {@link SpanOptions.root}. Whether the trace is
   * sampled is decided here, once. Empty while tracing is off.
   */
  newTrace(name: string): string;
  /** Traceparent of the active span; empty without one. */
  activeTraceParent(): string;
  /** Sends what is left (for at most some seconds) and ends tracing. Safe to call twice. */
  stop(): Promise<void>;
}

/** What tracing needs to begin. */
export interface TelemetryOptions {
  /** Name of the service in traces; `OTEL_SERVICE_NAME` wins. */
  readonly service: string;
  /** Version of the service in traces. Default: Berth's own. */
  readonly version?: string;
  /** Where the `OTEL_*` variables are read. */
  readonly environment: NodeJS.ProcessEnv;
  /** Hears about exports that failed. */
  readonly logger?: Logger;
  /** Gets every span as it ends, whatever the environment says. For tests. */
  readonly exporter?: SpanExporter;
}

const noSpan: TraceSpan = { traceParent: "", setAttribute() {}, fail() {}, end() {}, run: (fn) => fn() };

/** Tracing that is off. */
export const noTelemetry: Telemetry = {
  enabled: false,
  startSpan: () => noSpan,
  newTrace: () => "",
  activeTraceParent,
  stop: async () => {},
};

/**
 * Begins tracing over OTLP/HTTP if `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` is set and
 * `OTEL_SDK_DISABLED` isn't `true`; otherwise returns {@link noTelemetry} without loading the SDK.
 *
 * Also heard: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`,
 * `OTEL_EXPORTER_OTLP_HEADERS`.
 *
 * @throws Error naming the variable if one holds a value that can't be used.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const endpoint = traceEndpoint(options.environment);
  if (!options.exporter && endpoint === undefined) return noTelemetry;
  const { SdkTelemetry } = await import("./sdk.js");
  return new SdkTelemetry(options, endpoint);
}
