import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, root, scratchFolder, startBerth } from "./harness/berth.js";
import { start, succeed } from "./harness/command.js";
import { readmeCode } from "./harness/readme.js";

const buf = join(root, "node_modules/.bin/buf");
const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path);
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

/** What stands between the outputs of two calls. */
const separator = "\u001e";

/** The README's commands against this Berth, each call announced by a separator, and its completion sent twice as the text says it may be. */
function script(): string {
  const { registry, poolManager, scheduler } = berth.client.endpoints.addresses;
  const here: Record<string, string> = { 50051: registry, 50052: poolManager, 50053: scheduler };
  return readmeCode("## A whole task without any of it", "sh")
    .replace(/\b5005[123]\b/g, (port) => here[port]?.split(":")[1] ?? port)
    .replace(/^call \S+\/CompleteLeases [\s\S]*?\}'$/m, (call) => `${call}\n${call}`)
    .replace(/^(call|npx buf) /gm, (begin) => `printf '\\036'; ${begin}`)
    .replaceAll("npx buf", buf);
}

describe("the services, by hand", () => {
  it("list what they answer by reflection, on each of the four ports", async () => {
    const { addresses } = berth.client.endpoints;
    const listed = await Promise.all(
      Object.values(addresses).map((address) =>
        succeed(buf, ["curl", "--protocol", "grpc", "--http2-prior-knowledge", `http://${address}`, "--list-methods"], {
          cwd: folder.path,
        }),
      ),
    );
    const services = listed.map((text) => [
      ...new Set([...text.matchAll(/^berth\.([\w.]+)\//gm)].map((match) => match[1])),
    ]);
    expect(services).toEqual([
      ["registry.v1.LogService", "registry.v1.ReadyService", "registry.v1.RegistryService"],
      ["pool.v1.BidService", "pool.v1.LeaseLedgerService", "pool.v1.PoolService", "runner.v1.LeaseService"],
      ["runner.v1.WorkService", "scheduler.v1.SchedulerService"],
      ["metrics.v1.MetricsService"],
    ]);
    for (const text of listed) expect(text).toContain("grpc.health.v1.Health/Check");
  });

  it("take a task from submission to success by the README's commands", async () => {
    const { code, out, error } = await start("sh", ["-e", "-c", script()], { cwd: folder.path }).ended;
    expect(error).toBe("");
    expect(code).toBe(0);
    const [methods = "", ...answers] = out.split(separator).slice(1);
    expect(methods).toContain("berth.registry.v1.RegistryService/SubmitTasks");
    const values = answers.map((answer) => JSON.parse(answer));
    const lease = values[4].work[0].lease as string;
    expect(values).toMatchObject([
      { pool: { pool: "byhand", type: "TYPE_REMOTE", maxConcurrency: "1" } },
      { set: "byhand", taskCount: 1 },
      { summary: expect.stringContaining("waits for a runner of pool `byhand`") },
      { runnerTtl: expect.stringMatching(/s$/), renewInterval: expect.stringMatching(/s$/) },
      { work: [{ task: "byhand/hello", attempt: 1, run: { command: { argv: ["echo", "hello"] } } }] },
      {},
      {
        runningCount: "1",
        startedCount: "1",
        limits: expect.arrayContaining(
          ["global", "pool:byhand", "runner:me"].map((limit) => expect.objectContaining({ limit, used: "1" })),
        ),
      },
      { results: [{ lease, verdict: "VERDICT_APPLIED" }] },
      { results: [{ lease, verdict: "VERDICT_REPEATED" }] },
      {},
      {
        task: {
          state: "STATE_SUCCEEDED",
          attempts: [{ lease, runner: "me", outcome: { result: "RESULT_SUCCEEDED" }, releaseReason: "completed" }],
          events: ["TaskCreated", "TaskReady", "TaskAssigned", "RunnerStarted", "RunnerCompleted", "TaskSucceeded"].map(
            (kind) => ({ kind }),
          ),
        },
      },
    ]);
  });

  it("refuse a change without the token, saying where it lies", async () => {
    const call = "berth.pool.v1.PoolService/CreatePool";
    const { addresses } = berth.client.endpoints;
    const args = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", '{"pool": {"pool": "x"}}'];
    const refused = await start(buf, [...args, `http://${addresses.poolManager}/${call}`], { cwd: folder.path }).ended;
    expect(refused.code).not.toBe(0);
    expect(JSON.parse(refused.error)).toMatchObject({ code: "unauthenticated" });
    expect(refused.error).toMatch(/token/);
  });
});
