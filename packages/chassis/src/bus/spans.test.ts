import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { noTelemetry, startTelemetry, type Telemetry } from "../telemetry/index.js";
import { linksMax, processSpan, sendSpan } from "./spans.js";

const trace = (id: number, span: number): string =>
  `00-${id.toString(16).padStart(32, "0")}-${span.toString(16).padStart(16, "0")}-01`;
const spanId = (span: number): string => span.toString(16).padStart(16, "0");

describe("spans of messages that carry items of traces", () => {
  let exporter: InMemorySpanExporter;
  let telemetry: Telemetry;

  beforeEach(async () => {
    exporter = new InMemorySpanExporter();
    telemetry = await startTelemetry({ service: "test", environment: {}, exporter });
  });
  afterEach(() => telemetry.stop());

  const ended = () => {
    const [span] = exporter.getFinishedSpans();
    const links = span?.links.map(({ context }) => context.spanId);
    return { trace: span?.spanContext().traceId, parent: span?.parentSpanContext?.spanId, links };
  };

  it("makes a publication of one trace a part of it, linked with its other items", () => {
    sendSpan(telemetry, "subject", () => [trace(1, 10), "", trace(1, 10), trace(1, 11)]).end();
    expect(ended()).toEqual({ trace: trace(1, 0).slice(3, 35), parent: spanId(10), links: [spanId(11)] });
  });

  it("links a publication of several traces with each, and makes it a part of none", () => {
    const active = telemetry.startSpan("active", { parent: trace(1, 1) });
    active.run(() => sendSpan(telemetry, "subject", () => [trace(1, 10), trace(2, 20), "nonsense"]).end());
    expect(ended()).toMatchObject({ parent: undefined, links: [spanId(10), spanId(20)] });
  });

  it("makes a delivery of one publication its child, linked with it and with what it carries", () => {
    const names = { subject: "subject", durable: "one", messages: 1 };
    const traceParents = () => [trace(1, 10), trace(2, 20)];
    processSpan(telemetry, { ...names, sends: [trace(3, 30)], traceParents }).end();
    expect(ended()).toMatchObject({ parent: spanId(30), links: [spanId(30), spanId(10), spanId(20)] });
  });

  it("links a span with a bounded number of others", () => {
    sendSpan(telemetry, "subject", () => Array.from({ length: linksMax + 1 }, (_, i) => trace(i + 1, i + 1))).end();
    expect(ended().links).toHaveLength(linksMax);
  });

  it("doesn't look at what messages carry while tracing is off", () => {
    const traceParents = (): never => {
      throw new Error("looked");
    };
    sendSpan(noTelemetry, "subject", traceParents).end();
    processSpan(noTelemetry, { subject: "subject", durable: "one", messages: 1, sends: [], traceParents }).end();
  });
});
