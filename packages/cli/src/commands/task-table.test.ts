import { registry } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { recordingIo } from "../fixtures.js";
import { widthOf } from "../io.js";
import { taskTable } from "./task-table.js";

const task = (name: string, state: keyof typeof registry.Task_State, more: object = {}) =>
  registry.Task.fromPartial({ task: `s/${name}`, state: registry.Task_State[state], createTime: new Date(0), ...more });

const tasks = [
  task("a", "READY"),
  task("b", "PENDING", { spec: { needs: ["a", "c"] } }),
  task("c", "RUNNING", { pool: "p", runner: "r1", slot: "r1/2", attempt: 1, startTime: new Date(1_000) }),
  task("d", "BACKING_OFF", { readyTime: new Date(10_000), attempt: 1, stateReason: "exit code 1" }),
  task("e", "FAILED", {
    attempt: 2,
    stateReason: "exit code 2, after a long story that nobody wants to read to its end",
  }),
];

describe("the table of tasks", () => {
  it("says where each runs, and why each is as it is", () => {
    const io = recordingIo();
    taskTable(io, tasks.slice(0, 4), new Map([["s/a", "api 2/2"]]), 2_000);
    const cells = io
      .out()
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(cells).toEqual([
      ["TASK", "STATE", "POOL", "RUNNER", "SLOT", "TRY", "TOOK", "AGE", "WHY"],
      ["s/a", "queued", "-", "-", "-", "-", "-", "2.0s", "api 2/2"],
      ["s/b", "blocked", "-", "-", "-", "-", "-", "2.0s", "needs a, c"],
      ["s/c", "running", "p", "r1", "r1/2", "1", "1.0s", "2.0s", "-"],
      ["s/d", "retrying", "-", "-", "-", "1", "-", "2.0s", "in 8.0s: exit code 1"],
    ]);
  });

  it.each([80, 120])("fits %d columns by the reasons", (columns) => {
    const io = recordingIo({ terminal: true, columns });
    taskTable(io, tasks, new Map(), 2_000);
    expect(Math.max(...io.out().split("\n").map(widthOf))).toBeLessThan(columns);
  });
});
