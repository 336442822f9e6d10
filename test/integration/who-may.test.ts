import { type Channel, createChannel, createClient, ReasonError } from "@berth/chassis/grpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { methods, services } from "./harness/calls.js";

/** What anybody may ask who reaches the port. Everything else changes something. */
const open = new Set([
  "berth.metrics.v1.MetricsService/GetConcurrency",
  "berth.metrics.v1.MetricsService/ListSamples",
  "berth.pool.v1.LeaseLedgerService/ListLeaseEvents",
  "berth.pool.v1.LeaseLedgerService/WatchLeaseEvents",
  "berth.pool.v1.PoolService/CheckAdmission",
  "berth.pool.v1.PoolService/GetLimit",
  "berth.pool.v1.PoolService/GetPool",
  "berth.pool.v1.PoolService/GetStatus",
  "berth.pool.v1.PoolService/ListAssignments",
  "berth.pool.v1.PoolService/ListLimitChanges",
  "berth.pool.v1.PoolService/ListLimits",
  "berth.pool.v1.PoolService/ListPools",
  "berth.pool.v1.PoolService/WatchCatalogue",
  "berth.registry.v1.LogService/GetLogs",
  "berth.registry.v1.LogService/WatchLogs",
  "berth.registry.v1.ReadyService/ListReadyTasks",
  "berth.registry.v1.ReadyService/ListRuns",
  "berth.registry.v1.ReadyService/WatchReadyTasks",
  "berth.registry.v1.RegistryService/GetTask",
  "berth.registry.v1.RegistryService/GetTaskSet",
  "berth.registry.v1.RegistryService/ListTasks",
  "berth.registry.v1.RegistryService/ListTaskSets",
  "berth.registry.v1.RegistryService/WatchTasks",
  "berth.scheduler.v1.SchedulerService/ExplainTask",
  "berth.scheduler.v1.SchedulerService/ExplainTasks",
  "berth.scheduler.v1.SchedulerService/GetQueueStatus",
  "berth.scheduler.v1.SchedulerService/ListQueuedTasks",
]);

const folder = scratchFolder();
const channels = new Map<string, Channel>();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path);
  for (const { port } of services) channels.set(port, createChannel(berth.client.endpoints.addresses[port]));
});
afterAll(async () => {
  for (const channel of channels.values()) channel.close();
  await berth?.stop();
  folder.remove();
});

/** Calls with an empty request and says how it was received: the reason of the refusal, or that it was answered. */
async function reception(path: string, token?: string): Promise<string> {
  const { definition, key, method } = methods.find((method) => method.path === path) as (typeof methods)[number];
  const channel = channels.get(services.find((one) => one.definition === definition)?.port ?? "") as Channel;
  const client = createClient(definition, channel, token === undefined ? {} : { token });
  const call = (client as Record<string, (request: unknown, options: unknown) => unknown>)[key];
  const end = new AbortController();
  const request = method.requestStream ? nothing() : {};
  try {
    const answer = call?.(request, { signal: end.signal });
    if (method.responseStream) for await (const _item of answer as AsyncIterable<unknown>) break;
    else await answer;
    return "ANSWERED";
  } catch (error) {
    return ReasonError.from(error).reason;
  } finally {
    end.abort();
  }
}

async function* nothing(): AsyncGenerator<never> {}

describe("without the token", () => {
  it.each(methods.map(({ path }) => path))("%s is a read, or is refused", async (path) => {
    const received = await reception(path);
    if (open.has(path)) expect(received).not.toBe("UNAUTHENTICATED");
    else expect(received).toBe("UNAUTHENTICATED");
  });

  it("a wrong one is refused like none", async () => {
    const path = "berth.registry.v1.RegistryService/SubmitTasks";
    expect(await reception(path, "wrong")).toBe("UNAUTHENTICATED");
    expect(await reception(path, berth.client.endpoints.token)).toBe("INVALID_FIELD");
  });
});
