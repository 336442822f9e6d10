import { ManualClock } from "@berth/chassis/clock";
import { registry, scheduler } from "@berth/contracts";
import { expect, it } from "vitest";
import { Board } from "../board.js";
import { askMs, holdsLine, watchHolds } from "./holds.js";

const answer = scheduler.ExplainTasksResponse.fromPartial({
  queuedCount: 12n,
  causes: [
    { cause: "api 2/2", taskCount: 8n },
    { cause: "pool build full", taskCount: 4n },
  ],
});

it("says how many are held back by what, what holds back most first", () => {
  expect(holdsLine(answer)).toBe("12 queued: 8 api 2/2, 4 pool build full");
  expect(holdsLine(scheduler.ExplainTasksResponse.fromPartial({}))).toBeUndefined();
});

it("asks while tasks are queued, one question for all of them, and is silent when none is or nobody knows", async () => {
  const board = new Board(1);
  const clock = new ManualClock();
  const stop = new AbortController();
  const told: (string | undefined)[] = [];
  let asked = 0;
  let known: typeof answer | undefined = answer;
  const watching = watchHolds({
    board,
    clock,
    signal: stop.signal,
    tell: (line) => told.push(line),
    async ask() {
      asked += 1;
      return known;
    },
  });
  const put = (state: keyof typeof registry.Task_State) =>
    board.take(registry.Task.fromPartial({ task: "s/a", state: registry.Task_State[state] }));
  put("PENDING");
  await clock.advance(askMs);
  put("READY");
  await clock.advance(askMs);
  known = undefined;
  await clock.advance(askMs);
  put("RUNNING");
  await clock.advance(askMs);
  stop.abort();
  await watching;
  expect(asked).toBe(2);
  expect(told).toEqual([undefined, "12 queued: 8 api 2/2, 4 pool build full", undefined, undefined]);
});
