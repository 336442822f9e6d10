import { health, pool, registry } from "@berth/contracts";
import { InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";
import { Metadata } from "nice-grpc-common";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../log/index.js";
import { startTelemetry, type Telemetry } from "../telemetry/index.js";
import { type Channel, createChannel, createClient, GrpcServer } from "./index.js";

const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
let exporter: InMemorySpanExporter;
let telemetry: Telemetry;
let server: GrpcServer;
let channel: Channel;

/** Answers every method with nothing. */
function empty<Methods extends object>(methods: Methods): never {
  return Object.fromEntries(Object.keys(methods).map((method) => [method, async () => ({})])) as never;
}

beforeEach(async () => {
  exporter = new InMemorySpanExporter();
  telemetry = await startTelemetry({ service: "test", environment: {}, exporter });
  server = new GrpcServer({ logger: silentLogger, metrics: new Registry(), telemetry });
  const { RegistryServiceDefinition } = registry;
  server.add(RegistryServiceDefinition, empty(RegistryServiceDefinition.methods));
  server.add(pool.LeaseLedgerServiceDefinition, empty(pool.LeaseLedgerServiceDefinition.methods));
  channel = createChannel(`127.0.0.1:${await server.listen("127.0.0.1", 0)}`);
});
afterEach(async () => {
  channel.close();
  await server.stop(200);
  await telemetry.stop();
});

const seen = () => exporter.getFinishedSpans().map(({ name, kind }) => `${name.split("/")[1]} ${kind}`);
const clients = () => {
  const options = { telemetry };
  return {
    tasks: createClient(registry.RegistryServiceDefinition, channel, options),
    ledger: createClient(pool.LeaseLedgerServiceDefinition, channel, options),
    health: createClient(health.HealthDefinition, channel, options),
  };
};

describe("a call that belongs to no trace", () => {
  it("begins none where it only asks, or is what services tell each other", async () => {
    const { tasks, ledger, health } = clients();
    await tasks.getTaskSet({});
    await ledger.acknowledgeLeaseEvents({});
    await ledger.forbidAttempts({});
    await health.check({});
    expect(seen()).toEqual([]);
  });

  it("begins one where somebody asks to change something", async () => {
    await clients().tasks.cancelTasks({});
    expect(seen()).toEqual(["CancelTasks 1", "CancelTasks 2"]);
  });
});

it("a call that belongs to a trace is a part of it, whatever it asks", async () => {
  await clients().tasks.getTaskSet({}, { metadata: Metadata({ traceparent }) });
  expect(seen()).toEqual(["GetTaskSet 1"]);
  const span = telemetry.startSpan("outer");
  await span.run(() => clients().tasks.getTaskSet({}));
  expect(seen().slice(1)).toEqual(["GetTaskSet 1", "GetTaskSet 2"]);
  expect(exporter.getFinishedSpans()[0]?.spanContext().traceId).toBe("a".repeat(32));
});

it("a call carries the active span's trace state with its trace parent, and the server's span has it", async () => {
  const outer = telemetry.startSpan("outer", { parent: traceparent, parentState: "vendor=one" });
  await outer.run(() => clients().tasks.cancelTasks({}));
  expect(exporter.getFinishedSpans().map((span) => span.spanContext().traceState?.serialize())).toEqual([
    "vendor=one",
    "vendor=one",
  ]);
});
