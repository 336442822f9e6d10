import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startTelemetry } from "@berth/chassis/telemetry";
import { createClient } from "@berth/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth, startProcess } from "./harness/berth.js";
import {
  type ReceivedSpan,
  startTraceReceiver,
  submitMethod,
  type TraceReceiver,
  wholeWay,
  wholeWayOf,
} from "./harness/trace-receiver.js";
import { until } from "./harness/until.js";

const folder = scratchFolder();
let receiver: TraceReceiver;
let berth: Berth;
const tracing: NodeJS.ProcessEnv = {};

beforeAll(async () => {
  receiver = await startTraceReceiver();
  Object.assign(tracing, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: "100" });
  berth = await startBerth(folder.path, { logLevel: "debug" }, { ...process.env, ...tracing });
});
afterAll(async () => {
  await berth?.stop();
  await receiver?.stop();
  folder.remove();
});

const print = (variable: string) => [process.execPath, "-e", `console.log(process.env.${variable} ?? "none")`];

describe("tracing", () => {
  it("makes one trace of a task's whole way, each service under its own name, and the workload is told", async () => {
    const telemetry = await startTelemetry({ service: "berth-client", environment: { ...process.env, ...tracing } });
    const client = createClient({ dataFolder: berth.dataFolder, telemetry });
    const { set } = await client.submit([{ id: "a", run: print("TRACEPARENT") }]);
    await client.wait(set);
    client.close();
    await telemetry.stop();

    const task = `${set}/a`;
    const way = await wholeWayOf(receiver, task);
    expect(way.map(({ service, name }) => [service, name])).toEqual(wholeWay);
    expect(new Set(way.map(({ traceId }) => traceId)).size).toBe(1);
    expect(way[0]?.parentSpanId).toBe("");
    expect(way.some(({ failed }) => failed)).toBe(false);

    const { attempts } = await berth.client.task(task);
    const facts = {
      "berth.task": task,
      "berth.attempt": 1,
      "berth.lease": attempts[0]?.lease,
      "berth.pool": "default",
      "berth.runner": "local",
      "berth.slot": attempts[0]?.slot,
    };
    for (const span of way.slice(3)) expect(span.attributes, span.name).toMatchObject(facts);
    expect(way[7]?.attributes).toMatchObject({ "berth.state": "SUCCEEDED" });
    const rpc = { "rpc.system.name": "grpc", "rpc.method": submitMethod, "rpc.status_code": "OK" };
    expect(way.slice(1, 3).map(({ kind, attributes }) => [kind, attributes])).toEqual([
      [3, rpc],
      [2, rpc],
    ]);

    const run = way[5] as ReceivedSpan;
    const output: string[] = [];
    for await (const chunk of berth.client.logs(task)) output.push(Buffer.from(chunk.data).toString());
    expect(output.join("").trim()).toBe(`00-${run.traceId}-${run.spanId}-01`);

    const log = readFileSync(join(berth.dataFolder, "berth.log"), "utf8");
    const lines = log.split("\n").filter((line) => line.includes(run.traceId));
    expect(lines.map((line) => JSON.parse(line).msg)).toContain("tasks were taken");
  });

  it("puts every attempt of a task submitted by the command line into one trace, and marks what failed", async () => {
    const file = join(folder.path, "fails.yaml");
    writeFileSync(file, "tasks: [{ id: fails, run: exit 3, retry: { attempts: 2, backoff: 10ms } }]");
    const submitted = startProcess(["submit", file, "--set", "failing", "--data", berth.dataFolder], folder.path, {
      ...process.env,
      ...tracing,
    });
    expect(await submitted.exited, submitted.output()).toBe(0);
    await berth.client.wait("failing");

    const first = (await wholeWayOf(receiver, "failing/fails"))[0] as ReceivedSpan;
    expect(first.service).toBe("berth-cli");
    const ofAttempts = (name: string) =>
      receiver.spans.filter((span) => span.name === name && span.attributes["berth.task"] === "failing/fails");
    await until("both attempts", () => ofAttempts("finish").length === 2 && ofAttempts("run").length === 2);
    for (const name of ["assign", "grant", "run", "complete", "finish"]) {
      const spans = ofAttempts(name);
      expect(spans.map(({ attributes }) => attributes["berth.attempt"]).sort(), name).toEqual([1, 2]);
      expect(new Set(spans.map(({ traceId }) => traceId)), name).toEqual(new Set([first.traceId]));
      const failed = !["assign", "grant"].includes(name);
      for (const span of spans)
        expect([name, span.failed, span.message]).toEqual([name, failed, failed ? "exit code 3" : ""]);
    }
  });
});
