import { isSpanContextValid, trace } from "@opentelemetry/api";
import { type DestinationStream, type Logger, pino } from "pino";
import { describe } from "../errors/index.js";
import { plainLines } from "./plain.js";

export type { DestinationStream, Logger };

/** How a process logs. */
export interface LogOptions {
  /** Name of the process or service; the field `service` of every line. */
  readonly service: string;
  /** Least level that is written: trace, debug, info, warn, error, fatal or silent. Default: info. */
  readonly level?: string;
  /** Where lines go. Default: standard output, written at once, so that nothing is lost when the process exits. */
  readonly destination?: DestinationStream;
  /** Plain lines for a person at a terminal instead of JSON. Default: false. */
  readonly pretty?: boolean;
}

/**
 * A logger that writes one JSON object a line: `level` (a word), `time` (ISO 8601, UTC), `service`, `msg`, and the fields given.
 * Inside an active span, `trace_id`, `span_id` and `trace_flags` are added. Errors go under `error` or `err`, with their stack.
 */
export function createLogger(options: LogOptions): Logger {
  const lines = options.destination ?? pino.destination({ fd: 1, sync: true });
  return pino(
    {
      level: options.level ?? "info",
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serialize, err: serialize },
      mixin: activeSpan,
    },
    options.pretty ? plainLines(lines) : lines,
  );
}

/** Writes nothing; for tests. */
export const silentLogger: Logger = pino({ level: "silent" }, { write() {} });

/** An error with its stack; in words where even looking at it throws. */
function serialize(error: Error): unknown {
  try {
    return pino.stdSerializers.err(error);
  } catch {
    return { message: describe(error) };
  }
}

function activeSpan(): object {
  const context = trace.getActiveSpan()?.spanContext();
  if (!context || !isSpanContextValid(context)) return {};
  return {
    trace_id: context.traceId,
    span_id: context.spanId,
    trace_flags: context.traceFlags.toString(16).padStart(2, "0"),
  };
}
