import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { activeTraceParent, formatTraceParent, parseTraceParent } from "@berth/wire/telemetry";
import {
  context,
  createTraceState,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
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
import { Roots } from "./roots.js";

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

/** Who sends: one process of one version on one machine. Its parts have the same instance and differ by their names. */
const instance = { "service.instance.id": randomUUID(), "host.name": hostname() };
const packageFile = new URL("../../package.json", import.meta.url);

/** Tracing by the OpenTelemetry SDK. This module is loaded only when tracing is on. */
export class SdkTelemetry implements Telemetry {
  readonly enabled = true;
  private readonly provider: BasicTracerProvider;
  private readonly tracer: Tracer;
  private readonly roots: Roots;
  private stopped: Promise<void> | undefined;

  constructor(options: TelemetryOptions, endpoint: string | undefined) {
    const { environment, logger } = options;
    installContext();
    if (logger) reportTo(logger);
    const name = environment["OTEL_SERVICE_NAME"] || options.service;
    const version: string = options.version ?? JSON.parse(readFileSync(packageFile, "utf8")).version;
    const own = { [ATTR_SERVICE_VERSION]: version, ...instance };
    const attributes = { ...own, ...resourceAttributes(environment), [ATTR_SERVICE_NAME]: name };
    this.roots = new Roots(sampler(environment));
    this.provider = new BasicTracerProvider({
      resource: defaultResource().merge(resourceFromAttributes(attributes)),
      sampler: this.roots,
      idGenerator: this.roots,
      spanProcessors: [processor(options, endpoint)],
    });
    this.tracer = this.provider.getTracer("berth", version);
  }

  startSpan(name: string, options: SpanOptions = {}): TraceSpan {
    const links = (options.links ?? []).map(parseTraceParent).filter((span) => span !== undefined);
    const settings = {
      kind: kinds[options.kind ?? "internal"],
      ...(options.attributes ? { attributes: { ...options.attributes } } : {}),
      ...(links.length > 0 ? { links: links.map((each) => ({ context: each })) } : {}),
      // A Date, since the SDK takes small numbers for another clock.
      ...(options.startWallMs === undefined ? {} : { startTime: new Date(options.startWallMs) }),
    };
    const root = parseTraceParent(options.root ?? "");
    if (root) {
      if (root.traceFlags === TraceFlags.NONE) return new SdkSpan(trace.wrapSpanContext(root));
      return new SdkSpan(this.roots.as(root, () => this.tracer.startSpan(name, settings, ROOT_CONTEXT)));
    }
    const parent = options.parent === undefined ? context.active() : remote(options.parent, options.parentState);
    return new SdkSpan(this.tracer.startSpan(name, settings, parent));
  }

  newTrace(name: string): string {
    return formatTraceParent(this.roots.choose(name));
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

function remote(traceParent: string, traceState = ""): ReturnType<typeof context.active> {
  const span = parseTraceParent(traceParent);
  if (!span) return ROOT_CONTEXT;
  const state = traceState === "" ? {} : { traceState: createTraceState(traceState) };
  return trace.setSpanContext(ROOT_CONTEXT, { ...span, ...state });
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
