import { expect, it } from "vitest";
import type { TaskChange } from "../domain/commands.js";
import { Feed } from "./feed.js";

function change(key: string, revision: number): TaskChange {
  const header = { key };
  return {
    kind: "task",
    key,
    status: { revision },
    subject: { header, attempts: [], events: [] },
  } as unknown as TaskChange;
}

it("when all watchers together hold too much, the one that holds most is given up, and the others go on", async () => {
  const feed = new Feed(100);
  const slow = feed.open(() => true, false);
  const picky = feed.open(({ header }) => header.key === "s/t1", false);
  for (let at = 0; at < 100; at++) feed.note(change(`s/t${at}`, at + 1));
  expect([slow.overflowed, picky.overflowed]).toEqual([true, false]);
  expect(slow.size).toBe(0);
  const taken = await picky.take(10, new AbortController().signal);
  expect(taken.map(({ header }) => header.key)).toEqual(["s/t1"]);
});

it("watchers of one change share its copy", async () => {
  const feed = new Feed();
  const [one, other] = [feed.open(() => true, true), feed.open(() => true, true)];
  feed.note({
    ...change("s/a", 1),
    subject: { header: { key: "s/a" }, attempts: [], events: [] },
  } as unknown as TaskChange);
  const signal = new AbortController().signal;
  expect((await one.take(1, signal))[0]).toBe((await other.take(1, signal))[0]);
});
