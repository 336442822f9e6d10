import { createChannel, createClient } from "@berth/chassis/grpc";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";
import { methods } from "./harness/calls.js";

const folder = scratchFolder();
let berth: Berth;
beforeAll(async () => {
  berth = await startBerth(folder.path);
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

/** Fields that say which resource a method is about: without a filter, an empty one means nothing. */
const resources = ["pool", "limit", "task", "set"];

/** The field by which a method names its resource, and the requests that leave it empty; undefined for methods that name none. */
function nameField(request: object, path: string): { name: string; empty: object[] } | undefined {
  // ExplainTasks filters by set, and takes all without one.
  if (!/\/(Get|Delete|Update|Create|Explain|Accept|Watch)/.test(path) || /\/ExplainTasks$/.test(path)) return undefined;
  const verbless = path.replace(/^.*\/[A-Z][a-z]+/, "").toLowerCase();
  for (const name of resources) {
    if (!(name in request)) continue;
    const nested = verbless === name && /\/(Update|Create)/.test(path);
    return { name, empty: nested ? [{}, { [name]: {} }] : [{}, { [name]: "" }] };
  }
  return undefined;
}

it("a method that takes a name refuses an empty one by its field, whatever the method", async () => {
  const { addresses, token } = berth.client.endpoints;
  const named = methods.flatMap(({ definition, key, method, path, port }) => {
    const field = nameField(method.requestType.fromPartial({}), path);
    return field === undefined || method.requestStream ? [] : [{ definition, key, path, port, field }];
  });
  expect(named.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      "berth.pool.v1.PoolService/GetPool",
      "berth.pool.v1.PoolService/UpdateLimit",
      "berth.registry.v1.RegistryService/GetTask",
      "berth.scheduler.v1.SchedulerService/ExplainTask",
    ]),
  );
  for (const { definition, key, path, port, field } of named) {
    const channel = createChannel(addresses[port]);
    const client = createClient(definition, channel, { token }) as unknown as Record<
      string,
      (request: object) => unknown
    >;
    for (const request of field.empty) {
      const answer = client[key]?.(request);
      const refused =
        Symbol.asyncIterator in (answer as object)
          ? (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]().next()
          : answer;
      await expect(refused, path).rejects.toMatchObject({
        reason: "INVALID_FIELD",
        message: expect.stringContaining(field.name),
      });
    }
    channel.close();
  }
});
