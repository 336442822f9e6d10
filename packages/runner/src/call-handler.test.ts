import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { callHandler } from "./call-handler.js";
import { type Handler, PermanentError } from "./handlers.js";
import { Runner } from "./runner.js";
import { call, StandIn } from "./testing/stand-in.js";

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["gives back", ({ payload }) => payload],
  ["gives nothing", () => undefined],
  ["gives null", () => null],
  ["gives what JSON changes", () => ({ at: new Date(0), nothing: undefined, list: [undefined, Number.NaN] })],
  ["gives too much", () => "x".repeat(262_143)],
  ["gives a BigInt", () => ({ count: 1n })],
  ["gives a function", () => () => 1],
  ["throws", () => { throw new Error("no\nluck", { cause: new Error("the disk is full") }); }],
  ["throws for good", async () => { throw new PermanentError("no such customer"); }],
  ["throws anything", () => { throw null; }],
  ["says much", (_task, context) => {
    context.log("one");
    context.log("two\n");
    for (const fraction of [-1, 0.5, Number.NaN, 7]) context.progress(fraction, "m".repeat(300));
    context.heartbeat();
    return [context.attempt, typeof context.token, context.signal.aborted];
  }],
]); // biome-ignore format: a table

let folder = "";
let services: StandIn;
let subject: Runner;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-runner-"));
  services = new StandIn();
  const options = { dataFolder: join(folder, "data"), poolManagerAddress: "stand-in:1", pools: ["pool"] };
  subject = new Runner({ ...options, logs: { batchMs: 5 } }, services);
  for (const [name, handler] of handlers) subject.handle(name, handler);
  await subject.start();
  await subject.whenAttached();
});
afterEach(async () => {
  await subject.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a handler that is called for a test ends as it ends in a runner", async () => {
  const payload = { width: 100, tags: ["a", null], nested: { deep: 1.5 } };
  for (const [name, handler] of handlers) {
    const called = await callHandler(handler, { payload });
    const work = call(name, name, payload);
    await services.give(work);
    const outcome = await services.outcome(name);
    const resultJson = called.result === undefined ? "" : JSON.stringify(called.result);
    expect(outcome.resultJson.toString(), name).toBe(resultJson);
    expect(outcome.message, name).toBe(called.error ?? "");
    expect(outcome.result, name).toBe(called.error === undefined ? "RESULT_SUCCEEDED" : "RESULT_FAILED");
    expect(outcome.permanent, name).toBe(called.permanent);
    if (called.output === "") continue;
    await services.until(() => services.outputOf(work.task) !== "" && services.progress.length > 0);
    expect(called.output, name).toBe(services.outputOf(work.task));
    expect(called.progress.at(-1), name).toEqual({ fraction: 1, message: "m".repeat(256) });
    const { fraction, message } = services.progress.at(-1) ?? {};
    expect(called.progress.at(-1), name).toEqual({ fraction, message });
  }
});

describe("a call for a test", () => {
  test("has a payload that has been JSON, or null, and an attempt", async () => {
    const handler: Handler<{ at: string }> = ({ payload, attempt, task, tenant }) => ({
      payload,
      attempt,
      task,
      tenant,
    });
    const payload = { at: new Date(0) as unknown as string };
    expect((await callHandler(handler, { payload, attempt: 3, tenant: "blue" })).result).toEqual({
      payload: { at: "1970-01-01T00:00:00.000Z" },
      attempt: 3,
      task: "set/task",
      tenant: "blue",
    });
    expect((await callHandler(({ payload: none }) => none)).result).toBeNull();
  });

  test("refuses a payload that no task may have", async () => {
    await expect(callHandler(() => 1, { payload: "x".repeat(262_143) })).rejects.toThrow(
      "the payload has 262145 bytes of JSON; at most 262144 are taken",
    );
  });

  test.each(["before", "while"])(
    "that is aborted %s it runs aborts the handler's signal, and its result counts no more",
    async (when) => {
      const abort = new AbortController();
      const reason = new Error("the task was cancelled");
      if (when === "before") abort.abort(reason);
      const called = callHandler(
        async (_task, { signal }) => {
          if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
          return (signal.reason as Error).message;
        },
        { signal: abort.signal },
      );
      abort.abort(reason);
      expect(await called).toMatchObject({ result: undefined, error: "the task was cancelled", permanent: false });
    },
  );
});
