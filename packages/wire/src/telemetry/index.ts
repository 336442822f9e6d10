import { activeTraceParent } from "./traceparent.js";

export { activeTraceContext, noTraceContext, readTraceContext, type TraceContext } from "./carried.js";
export {
  activeTraceParent,
  annotateActive,
  formatTraceParent,
  isTraceParent,
  parseTraceParent,
  traceIdOf,
} from "./traceparent.js";

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
  /** What is known of it from the beginning. Default: nothing. */
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
  /** Adds to what is known of it; a name given again is replaced. */
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
  /** Begins a span; whoever does so ends it. */
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

const noSpan: TraceSpan = { traceParent: "", setAttribute() {}, fail() {}, end() {}, run: (fn) => fn() };

/** Tracing that is off. */
export const noTelemetry: Telemetry = {
  enabled: false,
  startSpan: () => noSpan,
  newTrace: () => "",
  activeTraceParent,
  stop: async () => {},
};
