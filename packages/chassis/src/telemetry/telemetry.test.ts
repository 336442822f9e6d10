import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";
import { afterEach, describe, expect, it } from "vitest";
import { createLogger } from "../log/index.js";
import { isTraceParent, noTelemetry, startTelemetry, type Telemetry } from "./index.js";

const opened: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.stop();
});

async function inMemory(
  environment: NodeJS.ProcessEnv = {},
): Promise<{ telemetry: Telemetry; exporter: InMemorySpanExporter }> {
  const exporter = new InMemorySpanExporter();
  const telemetry = await startTelemetry({ service: "registry", environment, exporter });
  opened.push(telemetry);
  return { telemetry, exporter };
}

const parent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;

describe("tracing that is off", () => {
  it.each([
    ["no endpoint is set", {}],
    ["the SDK is disabled", { OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }],
  ])("is off when %s", async (_, environment) => {
    expect(await startTelemetry({ service: "registry", environment })).toBe(noTelemetry);
  });

  it("has spans that do nothing and run what they are given", async () => {
    const span = noTelemetry.startSpan("x", { parent });
    span.setAttribute("a", 1);
    span.end();
    expect(span.traceParent).toBe("");
    expect(span.run(() => 7)).toBe(7);
    await noTelemetry.stop();
  });
});

describe("spans", () => {
  it("continue the trace of a given traceparent", async () => {
    const { telemetry, exporter } = await inMemory();
    const span = telemetry.startSpan("berth.pool.v1.BidService/Bid", {
      parent,
      kind: "server",
      attributes: { "rpc.system.name": "grpc" },
    });
    span.end();
    const [seen] = exporter.getFinishedSpans();
    expect(seen).toMatchObject({
      name: "berth.pool.v1.BidService/Bid",
      kind: SpanKind.SERVER,
      attributes: { "rpc.system.name": "grpc" },
    });
    expect(seen?.spanContext().traceId).toBe("a".repeat(32));
    expect(seen?.parentSpanContext?.spanId).toBe("b".repeat(16));
    expect(span.traceParent).toBe(`00-${"a".repeat(32)}-${seen?.spanContext().spanId}-01`);
  });

  it("are children of the active one, along await, and logs carry its ids", async () => {
    const { telemetry, exporter } = await inMemory();
    const lines: string[] = [];
    const logger = createLogger({ service: "registry", destination: { write: (line) => void lines.push(line) } });
    const outer = telemetry.startSpan("outer");
    await outer.run(async () => {
      await Promise.resolve();
      expect(telemetry.activeTraceParent()).toBe(outer.traceParent);
      telemetry.startSpan("inner").end();
      logger.info("inside");
    });
    outer.end();
    const [inner] = exporter.getFinishedSpans();
    expect(outer.traceParent).toContain(inner?.parentSpanContext?.spanId);
    expect(outer.traceParent).toContain(JSON.parse(lines[0] ?? "").trace_id);
    expect(telemetry.activeTraceParent()).toBe("");
  });

  it("begin a new trace when the parent is empty or malformed", async () => {
    const { telemetry, exporter } = await inMemory();
    for (const bad of ["", "garbage", `00-${"0".repeat(32)}-${"b".repeat(16)}-01`])
      telemetry.startSpan("x", { parent: bad }).end();
    expect(exporter.getFinishedSpans().map((span) => span.parentSpanContext)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("carry links, given moments and failures, and end once", async () => {
    const { telemetry, exporter } = await inMemory();
    const span = telemetry.startSpan("wait", { links: [parent, "garbage"], startWallMs: 5_000 });
    span.fail("timed out");
    span.end(7_500);
    span.end();
    const [seen, ...others] = exporter.getFinishedSpans();
    expect(others).toEqual([]);
    expect(seen?.links.map((link) => link.context.spanId)).toEqual(["b".repeat(16)]);
    expect(seen?.startTime).toEqual([5, 0]);
    expect(seen?.duration).toEqual([2, 500_000_000]);
    expect(seen?.status).toEqual({ code: SpanStatusCode.ERROR, message: "timed out" });
  });

  it("name the service as the environment asks", async () => {
    const { telemetry, exporter } = await inMemory({
      OTEL_SERVICE_NAME: "berth-one",
      OTEL_RESOURCE_ATTRIBUTES: "team=a%20b,broken=%,=x",
    });
    telemetry.startSpan("x").end();
    expect(exporter.getFinishedSpans()[0]?.resource.attributes).toMatchObject({
      "service.name": "berth-one",
      team: "a b",
    });
  });

  it("are sampled as the environment asks", async () => {
    const { telemetry, exporter } = await inMemory({
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0",
    });
    telemetry.startSpan("own root").end();
    telemetry.startSpan("sampled parent", { parent }).end();
    expect(exporter.getFinishedSpans().map((span) => span.name)).toEqual(["sampled parent"]);
  });
});

describe("the environment", () => {
  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT"],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "nowhere" }, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_TRACES_SAMPLER: "some" }, "OTEL_TRACES_SAMPLER"],
    [
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
        OTEL_TRACES_SAMPLER: "traceidratio",
        OTEL_TRACES_SAMPLER_ARG: "NaN",
      },
      "OTEL_TRACES_SAMPLER_ARG",
    ],
  ])("with a value that can't be used is refused by name: %j", async (environment, variable) => {
    await expect(startTelemetry({ service: "registry", environment })).rejects.toThrow(`${variable}: `);
  });
});

describe("traceparents", () => {
  it.each([
    [parent, true],
    [`01-${"a".repeat(32)}-${"b".repeat(16)}-01-more`, true],
    [`00-${"a".repeat(32)}-${"b".repeat(16)}-01-more`, false],
    [`ff-${"a".repeat(32)}-${"b".repeat(16)}-01`, false],
    [`00-${"a".repeat(32)}-${"0".repeat(16)}-01`, false],
    ["", false],
  ])("%s is one: %s", (text, expected) => expect(isTraceParent(text)).toBe(expected));
});

describe("OTLP over HTTP", () => {
  it("posts what is left when tracing stops", async () => {
    const received: { url: string; type: string; bytes: number }[] = [];
    const receiver: Server = createServer((request, response) => {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      request.on("end", () => {
        received.push({ url: request.url ?? "", type: request.headers["content-type"] ?? "", bytes });
        response.writeHead(200).end();
      });
    });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    opened.push({ stop: () => new Promise((resolve) => receiver.close(() => resolve())) });
    const { port } = receiver.address() as AddressInfo;
    const telemetry = await startTelemetry({
      service: "registry",
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/` },
    });
    telemetry.startSpan("submit").end();
    await telemetry.stop();
    await telemetry.stop();
    expect(received).toEqual([{ url: "/v1/traces", type: "application/x-protobuf", bytes: expect.any(Number) }]);
    expect(received[0]?.bytes).toBeGreaterThan(50);
  });

  it("stops in time when nobody listens", async () => {
    const telemetry = await startTelemetry({
      service: "registry",
      environment: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:1/v1/traces" },
    });
    telemetry.startSpan("submit").end();
    await telemetry.stop();
  });
});
