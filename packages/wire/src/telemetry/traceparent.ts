import { isSpanContextValid, type SpanContext, trace } from "@opentelemetry/api";

/** Version 00 of the W3C header; later versions may carry more behind a dash, which is ignored as the standard asks. */
const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The span that a traceparent names, or undefined if it is empty or malformed. */
export function parseTraceParent(text: string): SpanContext | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", rest] = match;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  const span: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(span) ? span : undefined;
}

/** Whether a text is a traceparent. */
export function isTraceParent(text: string): boolean {
  return parseTraceParent(text) !== undefined;
}

/** The trace that a traceparent names: 32 hexadecimal digits, or empty if it is none. */
export function traceIdOf(text: string): string {
  return parseTraceParent(text)?.traceId ?? "";
}

/** The traceparent that names a span. */
export function formatTraceParent(span: SpanContext): string {
  return isSpanContextValid(span)
    ? `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, "0")}`
    : "";
}

/** Traceparent of the active span; empty without one. */
export function activeTraceParent(): string {
  const span = trace.getActiveSpan();
  return span ? formatTraceParent(span.spanContext()) : "";
}

/** Says more about the active span; nothing where none is. */
export function annotateActive(attributes: Readonly<Record<string, string | number>>): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}
