import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runner } from "@berth/contracts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Runner } from "./runner.js";
import { call, duration, StandIn } from "./testing/stand-in.js";

let folder = "";
let services: StandIn;
let subject: Runner;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-offer-"));
  services = new StandIn();
  subject = new Runner({ dataFolder: folder, poolManagerAddress: "stand-in:1", pools: ["a"], capacity: 3 }, services);
});
afterEach(async () => {
  services.mute = false;
  await subject.stop();
  rmSync(folder, { recursive: true, force: true });
});

const said = () => services.attachments.at(-1);

test("handlers that were registered before the start are in the first attachment", async () => {
  subject.handle("crop", () => undefined).handle("resize", () => undefined);
  await subject.start();
  await subject.whenAttached();
  expect(services.attachments).toMatchObject([{ handlers: ["crop", "resize"], pools: ["a"], capacity: 3 }]);
});

test("what changes while it is attached is said anew on the same stream, once for all changes of a turn", async () => {
  await subject.start();
  await subject.whenAttached();
  const [first] = services.attachments;
  subject.handle("crop", () => undefined).handle("resize", () => undefined);
  await services.until(() => services.attachments.length === 2);
  expect(said()).toEqual({ ...first, handlers: ["crop", "resize"] });
  expect([subject.removeHandler("crop"), subject.removeHandler("crop")]).toEqual([true, false]);
  subject.serve({ pools: ["a", "b"], capacity: 7 });
  await services.until(() => services.attachments.length === 3);
  expect(said()).toEqual({ ...first, handlers: ["resize"], pools: ["a", "b"], capacity: 7 });
  expect(services.attachments).toHaveLength(3);
});

test("what changes before an attachment is answered, or while no stream is there, is said all the same", async () => {
  services.mute = true;
  await subject.start();
  subject.handle("crop", () => undefined);
  services.mute = false;
  await services.until(() => said()?.handlers.includes("crop") === true);
  await subject.whenAttached();
  services.breakStream();
  subject.handle("resize", () => undefined);
  await services.until(() => said()?.handlers.length === 2);
});

test("work for a handler that it hasn't makes it say anew what it has: the pool-manager believes something old", async () => {
  subject.handle("crop", () => undefined);
  await subject.start();
  await subject.whenAttached();
  expect(await outcomeOf("resize")).toMatchObject({ result: runner.Outcome_Result.NOT_STARTED, permanent: false });
  await services.until(() => services.attachments.length === 2);
  expect(said()?.handlers).toEqual(["crop"]);
});

test("work for a handler that was taken away goes back: NOT_STARTED, not for good; what runs ends as it would", async () => {
  let release: () => void = () => undefined;
  subject.handle("slow", () => new Promise<void>((resolve) => (release = resolve)));
  await subject.start();
  await subject.whenAttached();
  await services.give(call("runs", "slow", null, { killGrace: duration(100) }));
  await new Promise<void>((resolve) => {
    const look = () => (subject.figures.running === 1 ? resolve() : setImmediate(look));
    look();
  });
  subject.removeHandler("slow");
  const late = await outcomeOf("slow", "late");
  expect(late).toMatchObject({ result: runner.Outcome_Result.NOT_STARTED, permanent: false });
  expect(late.message).toBe('this runner has no handler "slow"; it has none');
  expect(said()?.handlers).toEqual([]);
  release();
  expect(await services.outcome("runs")).toMatchObject({ result: runner.Outcome_Result.SUCCEEDED });
});

test("names have 1 to 128 characters, each once, and there are at most 256 of them", () => {
  const nothing = () => undefined;
  expect(() => subject.handle("", nothing)).toThrow("has 0 characters: 1 to 128 are needed");
  expect(() => subject.handle("x".repeat(129), nothing)).toThrow("has 129 characters: 1 to 128 are needed");
  for (let i = 0; i < 256; i++) subject.handle(`h${i}`, nothing);
  expect(() => subject.handle("h0", nothing)).toThrow('handler "h0" is registered already');
  expect(() => subject.handle("more", nothing)).toThrow("a runner has at most 256");
  expect(() => subject.serve({ pools: ["Not A Name"] })).toThrow("pools[0]");
  expect(() => subject.serve({ pools: ["a"], capacity: 0 })).toThrow("capacity: 0");
});

async function outcomeOf(handler: string, name = handler): Promise<runner.Outcome> {
  await services.give(call(name, handler));
  return services.outcome(name);
}
