import { noTelemetry, type Telemetry } from "@berth/wire/telemetry";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import type { Logger } from "../log/index.js";
import { traceEndpoint } from "./environment.js";

export {
  annotateActive,
  isTraceParent,
  noTelemetry,
  readTraceContext,
  type SpanOptions,
  type SpanRole,
  type Telemetry,
  type TraceContext,
  type TraceSpan,
  traceIdOf,
} from "@berth/wire/telemetry";

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
