import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createLogger } from "../log/index.js";
import { isTraceParent, noTelemetry, startTelemetry, type Telemetry, traceIdOf } from "./index.js";

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

describe("a root that is written later", () => {
  it("has the ids that its children were given, and no parent, whichever process writes it", async () => {
    const first = await inMemory();
    const other = await inMemory();
    const root = first.telemetry.newTrace("task");
    first.telemetry.startSpan("child", { parent: root }).end();
    const active = other.telemetry.startSpan("active");
    active.run(() => other.telemetry.startSpan("task", { root, links: [parent], startWallMs: 5_000 }).end(9_000));
    const [child] = first.exporter.getFinishedSpans();
    const [seen] = other.exporter.getFinishedSpans();
    expect(seen?.parentSpanContext).toBeUndefined();
    expect(child?.parentSpanContext?.spanId).toBe(seen?.spanContext().spanId);
    expect(child?.spanContext().traceId).toBe(seen?.spanContext().traceId);
    expect(seen?.links.map(({ context }) => context.traceId)).toEqual(["a".repeat(32)]);
    expect(seen?.duration).toEqual([4, 0]);
  });

  it("is sampled, and all under it, as was decided when its ids were chosen, though the share changes meanwhile", () =>
    fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (before, after) => {
          const sampler = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio" };
          const first = await inMemory({ ...sampler, OTEL_TRACES_SAMPLER_ARG: String(before) });
          const later = await inMemory({ ...sampler, OTEL_TRACES_SAMPLER_ARG: String(after) });
          const roots = Array.from({ length: 20 }, () => first.telemetry.newTrace("task"));
          for (const root of roots) {
            const child = first.telemetry.startSpan("child", { parent: root });
            later.telemetry.startSpan("grandchild", { parent: child.traceParent }).end();
            child.end();
            later.telemetry.startSpan("task", { root }).end();
          }
          const sampled = roots.filter((root) => root.endsWith("-01")).map((root) => root.split("-")[1]);
          const traces = (from: InMemorySpanExporter, name: string) =>
            from
              .getFinishedSpans()
              .filter((span) => span.name === name)
              .map((span) => span.spanContext().traceId);
          expect(traces(first.exporter, "child")).toEqual(sampled);
          expect(traces(later.exporter, "grandchild")).toEqual(sampled);
          expect(traces(later.exporter, "task")).toEqual(sampled);
        },
      ),
      { numRuns: 20 },
    ));

  it("has ids of its own each time", async () => {
    const { telemetry } = await inMemory();
    const roots = Array.from({ length: 100 }, () => telemetry.newTrace("task"));
    expect(new Set(roots.map(traceIdOf)).size).toBe(100);
    expect(noTelemetry.newTrace("task")).toBe("");
  });
});

describe("the resource", () => {
  it("says version, process and machine, which the environment may say otherwise", async () => {
    const [first, second] = [await inMemory(), await inMemory({ OTEL_RESOURCE_ATTRIBUTES: "host.name=box" })];
    for (const { telemetry } of [first, second]) telemetry.startSpan("x").end();
    const [one, two] = [first, second].map(({ exporter }) => exporter.getFinishedSpans()[0]?.resource.attributes);
    expect(one).toMatchObject({
      "service.version": expect.stringMatching(/^\d+[.]\d+[.]\d+/),
      "service.instance.id": expect.stringMatching(/^[0-9a-f-]{36}$/),
      "host.name": hostname(),
    });
    expect(two).toMatchObject({ "host.name": "box", "service.instance.id": one?.["service.instance.id"] });
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
