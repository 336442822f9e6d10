import { registry } from "@berth/contracts";
import { expect, expectTypeOf, it } from "vitest";
import { filterOf, finalStates, type TaskState, told, toldSet } from "./task.js";

type WireState = Exclude<keyof typeof registry.Task_State, "UNSPECIFIED" | "UNRECOGNIZED">;
const states = Object.keys(registry.Task_State).filter(
  (state): state is TaskState => state !== "UNSPECIFIED" && state !== "UNRECOGNIZED",
);

it("speaks of states by the API's names without prefix, and knows them all", () => {
  expectTypeOf<TaskState>().toEqualTypeOf<WireState>();
  for (const state of states)
    expect(told(registry.Task.fromPartial({ state: registry.Task_State[state] })).state).toBe(state);
  for (const state of finalStates) expect(states).toContain(state);
});

it("says tasks, filters and counts in the same words", () => {
  const counts = Object.fromEntries(states.map((state, index) => [state, BigInt(index)]));
  const set = toldSet(registry.TaskSet.fromPartial({ taskCounts: counts, taskCount: 45n }));
  expect(Object.keys(set.taskCounts)).toEqual(states);
  expect([set.taskCounts.READY, set.taskCount]).toEqual([states.indexOf("READY"), 45]);
  expect(filterOf({ set: "s", states }).states).toEqual(states.map((state) => registry.Task_State[state]));
});

it("takes a set, one task, several, or a filter, and of a filter only what is given", () => {
  expect(filterOf("s")).toEqual(registry.TaskFilter.fromPartial({ set: "s" }));
  expect(filterOf("s/a")).toEqual(registry.TaskFilter.fromPartial({ tasks: ["s/a"] }));
  expect(filterOf(["s/a", "s/b"])).toEqual(registry.TaskFilter.fromPartial({ tasks: ["s/a", "s/b"] }));
  expect(filterOf({ pool: "p" })).toEqual(registry.TaskFilter.fromPartial({ pool: "p" }));
});
