import { ManualClock } from "@berth/chassis/clock";
import { registry } from "@berth/contracts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Board } from "../board.js";
import { quietMs, watchStandstill } from "./standstill.js";

let board: Board;
let clock: ManualClock;
let stop: AbortController;
let asked: string[];
let told: (string | undefined)[];
let answer: string | undefined;

const put = (name: string, state: keyof typeof registry.Task_State) =>
  board.take(registry.Task.fromPartial({ task: `s/${name}`, state: registry.Task_State[state] }));

function watch(drawn: boolean): Promise<void> {
  return watchStandstill({
    board,
    clock,
    drawn,
    signal: stop.signal,
    tell: (why) => told.push(why),
    async explain(task) {
      asked.push(task);
      return answer;
    },
  });
}

beforeEach(() => {
  board = new Board(2);
  clock = new ManualClock();
  stop = new AbortController();
  [asked, told] = [[], []];
  answer = "waits for a runner of pool `images`: none is attached";
});
afterEach(() => stop.abort());

describe("a standstill", () => {
  it("is told once nothing has run or changed for a while, and once only", async () => {
    const watching = watch(false);
    put("after", "PENDING");
    put("a", "READY");
    // What has only just been heard of isn't stuck.
    await clock.advance(quietMs);
    expect(asked).toEqual([]);
    await clock.advance(10 * quietMs);
    expect(new Set(asked)).toEqual(new Set(["s/a"]));
    expect(told).toEqual(["nothing runs: s/a waits for a runner of pool `images`: none is attached"]);
    stop.abort();
    await watching;
  });

  it("isn't one while something runs, or where nothing could", async () => {
    void watch(false);
    put("a", "READY");
    put("b", "RUNNING");
    await clock.advance(5 * quietMs);
    put("a", "BACKING_OFF");
    put("b", "SUCCEEDED");
    await clock.advance(5 * quietMs);
    expect(asked).toEqual([]);
  });

  it("is over when something moves", async () => {
    void watch(true);
    put("a", "READY");
    await clock.advance(3 * quietMs);
    expect(told).toHaveLength(1);
    put("a", "RUNNING");
    await clock.advance(quietMs);
    expect(told.at(-1)).toBeUndefined();
  });

  it("says nothing that nobody knows, nor what is out of date", async () => {
    void watch(false);
    put("a", "READY");
    answer = undefined;
    await clock.advance(3 * quietMs);
    expect(asked.length).toBeGreaterThan(0);
    expect(told).toEqual([]);
  });

  it.each([
    [true, 20],
    [false, 5],
  ])("whose reason goes on changing is told anew, ever more rarely in a log (drawn: %s)", async (drawn, most) => {
    void watch(drawn);
    put("a", "READY");
    await clock.advance(quietMs);
    for (let turn = 0; turn < 20; turn += 1) {
      answer = `waits for ${turn}`;
      await clock.advance(quietMs);
    }
    expect(told.length).toBe(most);
  });
});
