import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { startTelemetry } from "@berth/chassis/telemetry";
import { createClient, type TaskInput } from "@berth/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, root as rootFolder, scratchFolder, startBerth, startProcess } from "./harness/berth.js";
import {
  type ReceivedSpan,
  startTraceReceiver,
  submissionWay,
  submissionWayOf,
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

/** Submits by a client that traces too, and waits for the end. */
async function submitted(tasks: readonly TaskInput[]): Promise<string> {
  const telemetry = await startTelemetry({ service: "berth-client", environment: { ...process.env, ...tracing } });
  const client = createClient({ dataFolder: berth.dataFolder, telemetry });
  const { set } = await client.submit(tasks);
  await client.wait(set);
  client.close();
  await telemetry.stop();
  return set;
}

/** How often the pool-manager has been asked for its status. */
async function polls(): Promise<number> {
  const text = await (await fetch(`${berth.http("poolManager")}/metrics`)).text();
  return Number(/^grpc_server_handled_total\{.*grpc_method="GetStatus".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function outputOf(task: string): Promise<string> {
  const output: string[] = [];
  for await (const chunk of berth.client.logs(task)) output.push(Buffer.from(chunk.data).toString());
  return output.join("").trim();
}

describe("tracing", () => {
  it("makes one trace of a task's whole way, each service under its own name, and the workload is told", async () => {
    const set = await submitted([{ id: "a", run: print("TRACEPARENT") }]);
    const task = `${set}/a`;
    const way = await wholeWayOf(receiver, task);
    expect(way.map(({ service, name }) => [service, name])).toEqual(wholeWay);
    expect(new Set(way.map(({ traceId }) => traceId)).size).toBe(1);
    expect(way[0]?.parentSpanId).toBe("");
    expect(way.some(({ failed }) => failed)).toBe(false);

    const { attempts, traceId } = await berth.client.task(task);
    expect(traceId).toBe(way[0]?.traceId);
    const facts = {
      "berth.task": task,
      "berth.attempt": 1,
      "berth.lease": attempts[0]?.lease,
      "berth.pool": "default",
      "berth.runner": "local",
      "berth.slot": attempts[0]?.slot,
    };
    for (const span of way.slice(1)) expect(span.attributes, span.name).toMatchObject(facts);
    for (const span of [way[0], way[5]]) expect(span?.attributes).toMatchObject({ "berth.state": "SUCCEEDED" });

    const run = way[3] as ReceivedSpan;
    expect(await outputOf(task)).toBe(`00-${run.traceId}-${run.spanId}-01`);
  });

  it("keeps the trace of a submission as small with three tasks as with one, and links each task's trace with it", async () => {
    const command = [process.execPath, "-e", "1"];
    const set = await submitted(["a", "b", "c"].map((id) => ({ id, run: command })));
    const roots: ReceivedSpan[] = [];
    for (const id of ["a", "b", "c"]) roots.push((await wholeWayOf(receiver, `${set}/${id}`))[0] as ReceivedSpan);
    expect(new Set(roots.map(({ traceId }) => traceId)).size).toBe(3);

    const way = await submissionWayOf(receiver, roots[0] as ReceivedSpan);
    expect(way.map(({ service, name }) => [service, name])).toEqual(submissionWay);
    expect(new Set(way.map(({ traceId }) => traceId)).size).toBe(1);
    expect(way[0]?.parentSpanId).toBe("");
    for (const { links } of roots) expect(links).toEqual([way[2]?.spanId]);
    const inTrace = receiver.spans.filter(({ traceId }) => traceId === way[0]?.traceId);
    expect(inTrace.map(({ name }) => name).sort()).toEqual(way.map(({ name }) => name).sort());

    const rpc = { "rpc.system.name": "grpc", "rpc.method": submitMethod, "rpc.status_code": "OK" };
    expect(way.slice(1).map(({ kind }) => kind)).toEqual([3, 2]);
    for (const { attributes } of way.slice(1)) expect(attributes).toMatchObject(rpc);
    expect(way[2]?.attributes).toMatchObject({ "berth.set": set, "berth.task_count": 3 });

    const log = readFileSync(join(berth.dataFolder, "berth.log"), "utf8");
    const lines = log.split("\n").filter((line) => line.includes(String(way[0]?.traceId)));
    expect(lines.map((line) => JSON.parse(line).msg)).toContain("tasks were taken");
  });

  it("ends the trace of a task that never ran, too", async () => {
    const set = await submitted([
      { id: "fails", run: "exit 1", retry: { attempts: 1 } },
      { id: "skipped", needs: ["fails"], run: "true" },
    ]);
    const roots = () => receiver.spans.filter((span) => span.name === "task" && span.attributes["berth.set"] === set);
    await until("both roots", () => roots().length === 2);
    expect(roots().map(({ attributes, failed }) => [attributes["berth.state"], failed])).toEqual(
      expect.arrayContaining([
        ["FAILED", true],
        ["SKIPPED", false],
      ]),
    );
  });

  it("puts what a retried task does anew into the trace that it had", async () => {
    const set = await submitted([{ id: "a", run: "exit 1", retry: { attempts: 1 } }]);
    await berth.client.retry(set);
    await berth.client.wait(set);
    const ends = () => receiver.spans.filter((span) => span.name === "task" && span.attributes["berth.set"] === set);
    await until("both ends", () => ends().length === 2);
    const [first, second] = ends() as [ReceivedSpan, ReceivedSpan];
    expect([first.parentSpanId, second.parentSpanId]).toEqual(["", first.spanId]);
    expect(second.traceId).toBe(first.traceId);
    expect((await berth.client.task(`${set}/a`)).traceId).toBe(first.traceId);
  });

  it("says who sent a span: version, process and machine", async () => {
    const set = await submitted([{ id: "a", run: "true" }]);
    const [root] = await wholeWayOf(receiver, `${set}/a`);
    expect(root?.resource).toMatchObject({
      "service.name": "berth-registry",
      "service.version": JSON.parse(readFileSync(join(rootFolder, "packages/chassis/package.json"), "utf8")).version,
      "service.instance.id": expect.stringMatching(/^[0-9a-f-]{36}$/),
      "host.name": hostname(),
    });
  });

  it("begins no trace with a poll: every root is something that somebody asked for, or a message of several tasks", async () => {
    const set = await submitted(Array.from({ length: 20 }, (_, index) => ({ id: `t${index}`, run: "true" })));
    await wholeWayOf(receiver, `${set}/t0`);
    const before = await polls();
    await until("the metrics service to ask three times more", async () => (await polls()) >= before + 3, 20_000);
    // What is begun meanwhile has arrived once a later submission has.
    await wholeWayOf(receiver, `${await submitted([{ id: "last", run: "true" }])}/last`);
    const roots = receiver.spans.filter(({ parentSpanId }) => parentSpanId === "");
    const others = roots.filter(
      ({ name }) => !/^(submit|task|(send|process) berth[.].*|.*[/](RetryTasks|CreatePool))$/.test(name),
    );
    expect(others.map(({ service, name }) => `${service} ${name}`)).toEqual([]);
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
    expect((await submissionWayOf(receiver, first))[0]?.service).toBe("berth-cli");
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
