import { context, TraceFlags, trace } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";
import { installContext } from "../telemetry/context.js";
import { createLogger, type Logger, silentLogger } from "./index.js";

function captured(options: { pretty?: boolean; level?: string } = {}): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const logger = createLogger({
    service: "registry",
    destination: { write: (line) => void lines.push(line) },
    ...options,
  });
  return { logger, lines };
}

const span = trace.wrapSpanContext({ traceId: "a".repeat(32), spanId: "b".repeat(16), traceFlags: TraceFlags.SAMPLED });

describe("createLogger", () => {
  it("writes one JSON line with service, level word and ISO time", () => {
    const { logger, lines } = captured();
    logger.info({ port: 50051 }, "listening");
    const line = JSON.parse(lines[0] ?? "");
    expect(line).toMatchObject({ level: "info", service: "registry", port: 50051, msg: "listening" });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(line).not.toHaveProperty("trace_id");
  });

  it("adds the ids of the active span", () => {
    installContext();
    const { logger, lines } = captured();
    context.with(trace.setSpan(context.active(), span), () => logger.info("inside"));
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      trace_id: "a".repeat(32),
      span_id: "b".repeat(16),
      trace_flags: "01",
    });
  });

  it("keeps the stack of an error", () => {
    const { logger, lines } = captured();
    logger.error({ error: new Error("disk full") }, "commit failed");
    expect(JSON.parse(lines[0] ?? "").error).toMatchObject({ type: "Error", message: "disk full" });
    expect(JSON.parse(lines[0] ?? "").error.stack).toContain("log.test");
  });

  it("leaves out what is below the level", () => {
    const { logger, lines } = captured({ level: "warn" });
    logger.info("no");
    logger.warn("yes");
    expect(lines).toHaveLength(1);
  });

  it("writes plain lines for a terminal", () => {
    const { logger, lines } = captured({ pretty: true });
    logger.warn({ pool: "build", note: "two words" }, "queue\nis full");
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}registry: queue is full pool=build note="two words"\n$/);
  });

  it("indents the stack in plain lines", () => {
    const { logger, lines } = captured({ pretty: true });
    logger.error({ error: new Error("disk full") }, "commit failed");
    expect(lines[0]).toMatch(/commit failed\n {4}Error: disk full\n {8}at /);
  });

  it("has a silent one", () => {
    expect(silentLogger.isLevelEnabled("fatal")).toBe(false);
  });
});
