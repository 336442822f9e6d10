import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runner } from "@berth/contracts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GuardKeeper } from "./guard/keeper.js";
import { PermanentError } from "./handlers.js";
import { Runner } from "./runner.js";
import { call, StandIn, shell } from "./testing/stand-in.js";
import { death } from "./testing/victim-process.js";

const { FAILED } = runner.Outcome_Result;
const fails = (): never => {
  throw new Error("not to be looked at");
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const circle: Error & { cause?: unknown } = new Error("round");
circle.cause = circle;

/** Things to throw, by what they are. */
const things: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["nothing", undefined],
  ["null", null],
  ["a symbol", Symbol("sign")],
  ["no prototype", Object.create(null)],
  ["a message that throws", Object.defineProperty({}, "message", { get: fails })],
  ["an error whose message throws", Object.defineProperty(new Error(""), "message", { get: fails })],
  ["an error whose stack throws", Object.defineProperty(new Error("text"), "stack", { get: fails })],
  ["an error whose name throws", Object.defineProperty(new Error("text"), "name", { get: fails })],
  ["a proxy that answers nothing", new Proxy(new Error("text"), { get: fails, getPrototypeOf: fails })],
  ["a revoked proxy", revoked.proxy],
  ["a huge text", "x".repeat(5_000_000)],
  ["a huge error", new Error("\r\n".repeat(2_000_000))],
  ["a circle of causes", circle],
  ["a text that is none", { toString: () => 7 }],
]);

let folder = "";
let services: StandIn;
let subject: Runner;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-runner-"));
  services = new StandIn();
  const options = { dataFolder: join(folder, "data"), poolManagerAddress: "stand-in:1", pools: ["pool"] };
  subject = new Runner({ ...options, logs: { batchMs: 5 } }, services);
  subject.handle<string>("throws", ({ payload }) => {
    throw things.get(payload);
  });
  subject.handle<string>("rejects", ({ payload }) => Promise.reject(things.get(payload)));
  subject.handle("says", () => {
    throw { message: "the disk of the other side is full", code: 7 };
  });
  subject.handle("says for good", () => {
    throw new PermanentError("no such customer");
  });
  await subject.start();
  await subject.whenAttached();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await subject.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function outcomeOf(work: runner.Work): Promise<runner.Outcome> {
  await services.give(work);
  return services.outcome(work.lease);
}

test.each(["throws", "rejects"])(
  "whatever a handler %s, the attempt has failed, in words, and the guard is told that it ended",
  async (handler) => {
    const began = vi.spyOn(GuardKeeper.prototype, "handlerBegan");
    const ended = vi.spyOn(GuardKeeper.prototype, "handlerEnded");
    for (const name of things.keys()) {
      const outcome = await outcomeOf(call(name, handler, name));
      expect(outcome, name).toMatchObject({ result: FAILED, permanent: false });
      expect(outcome.startTime, name).toBeDefined();
      expect(outcome.message, name).not.toBe("");
      expect(Buffer.byteLength(outcome.message), name).toBeLessThanOrEqual(4_096);
    }
    expect(began).toHaveBeenCalledTimes(things.size);
    expect(ended).toHaveBeenCalledTimes(things.size);
  },
);

test("what is thrown with a message shows its message", async () => {
  expect(await outcomeOf(call("a", "says"))).toMatchObject({ message: "the disk of the other side is full" });
  const last = await outcomeOf(call("b", "says for good"));
  expect(last).toMatchObject({ message: "PermanentError: no such customer", permanent: true });
});

test("a run that has begun never ends as not started, even if it can't be followed to its end", async () => {
  vi.spyOn(GuardKeeper.prototype, "gone").mockImplementationOnce(() => {
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  });
  const outcome = await outcomeOf(shell("a", "exit 0"));
  expect(outcome).toMatchObject({ result: FAILED, permanent: false });
  expect(outcome.message).toContain("no space left on device");
});

test("a process that can't be watched over is killed, and its attempt has failed", async () => {
  let pid = 0;
  vi.spyOn(GuardKeeper.prototype, "add").mockImplementationOnce((group) => {
    pid = group;
    throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  });
  expect(await outcomeOf(shell("a", "sleep 1000"))).toMatchObject({ result: FAILED });
  expect(pid).toBeGreaterThan(0);
  await death(pid);
});
