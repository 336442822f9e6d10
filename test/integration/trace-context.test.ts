import { join } from "node:path";
import { metadataOf } from "@berth/chassis/grpc";
import { registry } from "@berth/contracts";
import { createRunner, type HandlerContext, type Runner } from "@berth/runner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth, startProcess } from "./harness/berth.js";

// No OTLP endpoint: nothing here traces.
const folder = scratchFolder();
const environment: NodeJS.ProcessEnv = { ...process.env, OTEL_SDK_DISABLED: "true" };
let berth: Berth;
let runner: Runner | undefined;

const parent = `00-${"a1".repeat(16)}-${"b2".repeat(8)}-01`;
const given = { traceparent: parent, tracestate: "vendor=one,other=two", baggage: "tenant=acme,region=north%20east" };
const variables = ["TRACEPARENT", "TRACESTATE", "BAGGAGE"];
const print = `console.log(JSON.stringify(${JSON.stringify(variables)}.map((name) => process.env[name] ?? "")))`;
const told = [parent, given.tracestate, given.baggage];

beforeAll(async () => {
  berth = await startBerth(
    folder.path,
    { pools: { default: { maxConcurrency: 2 }, images: { maxConcurrency: 2, type: "remote" } } },
    environment,
  );
});
afterAll(async () => {
  await runner?.stop();
  await berth?.stop();
  folder.remove();
});

const commandTask = (env: Record<string, string> = {}) =>
  registry.TaskSpec.fromPartial({
    id: "a",
    run: { kind: { $case: "command", value: { argv: [process.execPath, "-e", print] } }, env },
  });

async function printed(set: string): Promise<string[]> {
  await berth.client.wait(set);
  const output: string[] = [];
  for await (const chunk of berth.client.logs(`${set}/a`)) output.push(Buffer.from(chunk.data).toString());
  return JSON.parse(output.join(""));
}

async function submitWith(headers: Partial<typeof given>, env?: Record<string, string>): Promise<string> {
  const { traceparent: traceParent = "", tracestate: traceState = "", baggage = "" } = headers;
  const metadata = metadataOf({ traceParent, traceState, baggage });
  return (await berth.client.registry.submitTasks({ tasks: [commandTask(env)] }, { metadata })).set;
}

describe("a client's trace context, while tracing is off", () => {
  it("reaches a command as it was given by the metadata of the submission", async () => {
    const set = await submitWith(given);
    expect(await printed(set)).toEqual(told);
    expect((await berth.client.task(`${set}/a`)).traceId).toBe("a1".repeat(16));
  });

  it("reaches a command as it was given to the SDK, and to the command line by its environment", async () => {
    const trace = { traceParent: parent, traceState: given.tracestate, baggage: given.baggage };
    expect(await printed((await berth.client.submitSpecs([commandTask()], { trace })).set)).toEqual(told);
    const [TRACEPARENT, TRACESTATE, BAGGAGE] = told;
    const command = ["submit", "--data", berth.dataFolder, "--set", "by-cli", "--id", "a"];
    const submitted = startProcess([...command, "--", process.execPath, "-e", print], folder.path, {
      ...environment,
      TRACEPARENT,
      TRACESTATE,
      BAGGAGE,
    });
    expect(await submitted.exited, submitted.output()).toBe(0);
    expect(await printed("by-cli")).toEqual(told);
  });

  it("reaches a handler by its context", async () => {
    const { addresses, token } = berth.client.endpoints;
    runner = createRunner({
      dataFolder: join(folder.path, "runner"),
      id: "handlers",
      poolManagerAddress: addresses.poolManager,
      schedulerAddress: addresses.scheduler,
      registryAddress: addresses.registry,
      token,
      pools: ["images"],
    });
    const heard: Pick<HandlerContext, "traceParent" | "traceState" | "baggage">[] = [];
    runner.handle("hear", (_, { traceParent, traceState, baggage }) => {
      heard.push({ traceParent, traceState, baggage });
    });
    await runner.start();
    await runner.whenAttached();
    const trace = { traceParent: parent, traceState: given.tracestate, baggage: given.baggage };
    const { set } = await berth.client.submit([{ id: "a", handler: "hear", pool: "images" }], { trace });
    expect((await berth.client.wait(set)).taskCounts).toEqual({ SUCCEEDED: 1 });
    expect(heard).toEqual([trace]);
  });

  it("is left out where it breaks W3C's rules, and never keeps a submission from being taken", async () => {
    const broken = { traceparent: "00-nonsense", tracestate: given.tracestate, baggage: `a=${"x".repeat(9_000)},b=2` };
    const set = await submitWith(broken);
    expect(await printed(set)).toEqual(["", "", "b=2"]);
    expect((await berth.client.task(`${set}/a`)).traceId).toBe("");
  });

  it("leaves a task's own variables alone where the client gave none", async () => {
    const env = { TRACEPARENT: "mine", TRACESTATE: "mine too", BAGGAGE: "and=this" };
    expect(await printed(await submitWith({}, env))).toEqual(Object.values(env));
    expect(await printed(await submitWith({ traceparent: parent }, env))).toEqual([parent, "", env.BAGGAGE]);
  });
});
