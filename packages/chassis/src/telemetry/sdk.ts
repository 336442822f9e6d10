import { activeTraceParent, formatTraceParent, parseTraceParent } from "@berth/wire/telemetry";
import {
  context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from "@opentelemetry/semantic-conventions";
import type { Logger } from "../log/index.js";
import { installContext } from "./context.js";
import { resourceAttributes, sampling } from "./environment.js";
import type { SpanOptions, SpanRole, Telemetry, TelemetryOptions, TraceSpan } from "./index.js";

/** Milliseconds that one export, and so the end of tracing, may take. */
const exportTimeoutMs = 3_000;
/** Spans that wait for export; more are dropped, so that an absent collector costs no memory. */
const queuedSpansMax = 8_192;

const kinds: Readonly<Record<SpanRole, SpanKind>> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
};

/** Tracing by the OpenTelemetry SDK. This module is loaded only when tracing is on. */
export class SdkTelemetry implements Telemetry {
  readonly enabled = true;
  private readonly provider: BasicTracerProvider;
  private readonly tracer: Tracer;
  private stopped: Promise<void> | undefined;

  constructor(options: TelemetryOptions, endpoint: string | undefined) {
    const { environment, logger } = options;
    installContext();
    if (logger) reportTo(logger);
    const name = environment["OTEL_SERVICE_NAME"] || options.service;
    const version = options.version === undefined ? {} : { [ATTR_SERVICE_VERSION]: options.version };
    const attributes = { ...version, ...resourceAttributes(environment), [ATTR_SERVICE_NAME]: name };
    this.provider = new BasicTracerProvider({
      resource: defaultResource().merge(resourceFromAttributes(attributes)),
      sampler: sampler(environment),
      spanProcessors: [processor(options, endpoint)],
    });
    this.tracer = this.provider.getTracer("berth", options.version);
  }

  startSpan(name: string, options: SpanOptions = {}): TraceSpan {
    const links = (options.links ?? []).map(parseTraceParent).filter((span) => span !== undefined);
    const span = this.tracer.startSpan(
      name,
      {
        kind: kinds[options.kind ?? "internal"],
        ...(options.attributes ? { attributes: { ...options.attributes } } : {}),
        ...(links.length > 0 ? { links: links.map((each) => ({ context: each })) } : {}),
        // A Date, since the SDK takes small numbers for another clock.
        ...(options.startWallMs === undefined ? {} : { startTime: new Date(options.startWallMs) }),
      },
      options.parent === undefined ? context.active() : remote(options.parent),
    );
    return new SdkSpan(span);
  }

  activeTraceParent(): string {
    return activeTraceParent();
  }

  stop(): Promise<void> {
    // Spans that can't be delivered must not keep a process from ending; the exporter has told the log.
    this.stopped ??= this.provider.shutdown().catch(() => undefined);
    return this.stopped;
  }
}

class SdkSpan implements TraceSpan {
  readonly traceParent: string;
  private readonly span: Span;
  private ended = false;

  constructor(span: Span) {
    this.span = span;
    this.traceParent = formatTraceParent(span.spanContext());
  }

  setAttribute(name: string, value: string | number | boolean): void {
    this.span.setAttribute(name, value);
  }

  fail(message: string): void {
    this.span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  end(endWallMs?: number): void {
    if (this.ended) return;
    this.ended = true;
    this.span.end(endWallMs === undefined ? undefined : new Date(endWallMs));
  }

  run<T>(fn: () => T): T {
    return context.with(trace.setSpan(context.active(), this.span), fn);
  }
}

function remote(traceParent: string): ReturnType<typeof context.active> {
  const span = parseTraceParent(traceParent);
  return span ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT;
}

function sampler(environment: NodeJS.ProcessEnv): Sampler {
  const { parentBased, ratio } = sampling(environment);
  const root = new TraceIdRatioBasedSampler(ratio);
  return parentBased ? new ParentBasedSampler({ root }) : root;
}

function processor(options: TelemetryOptions, endpoint: string | undefined): SpanProcessor {
  if (options.exporter) return new SimpleSpanProcessor(options.exporter);
  const exporter = new OTLPTraceExporter({ url: endpoint ?? "", timeoutMillis: exportTimeoutMs });
  return new BatchSpanProcessor(exporter, { maxQueueSize: queuedSpansMax, exportTimeoutMillis: exportTimeoutMs });
}

/** The SDK reports through one logger of the process; the first service's is as good as any. */
let reporting = false;
function reportTo(logger: Logger): void {
  if (reporting) return;
  reporting = true;
  const report = (message: string, ...rest: unknown[]): void =>
    logger.warn({ detail: rest.map(String) }, `tracing: ${message}`);
  const quiet = (): void => {};
  diag.setLogger(
    { error: report, warn: report, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN },
  );
}
