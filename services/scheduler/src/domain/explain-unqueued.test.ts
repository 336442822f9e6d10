import { describe, expect, it } from "vitest";
import { explainUnqueued, type UnqueuedFacts } from "./explain-unqueued.js";

const moment = new Date(Date.UTC(2026, 0, 1, 12));
const facts: UnqueuedFacts = {
  state: "RUNNING",
  attempt: 2,
  reason: "",
  needs: [],
  runner: "r1",
  readyTime: moment,
  startTime: moment,
  endTime: moment,
};

describe("a task that is in no queue", () => {
  it.each<[Partial<UnqueuedFacts>, string]>([
    [{ state: "PENDING", needs: ["a", "b"] }, "waits for the tasks that it needs: a, b"],
    [
      { state: "PENDING", needs: ["a", "b", "c", "d", "e", "f", "g"] },
      "waits for the tasks that it needs: a, b, c, d, e and 2 more",
    ],
    [
      { state: "BACKING_OFF", reason: "exit code 1" },
      "attempt 2 failed (exit code 1); the next one is ready at 2026-01-01T12:00:00.000Z",
    ],
    [{ state: "ASSIGNED" }, "has a lease on runner `r1`, which is to start it"],
    [{}, "runs on runner `r1` since 2026-01-01T12:00:00.000Z"],
    [{ state: "CANCELLING" }, "is being cancelled: its run isn't known to be dead yet"],
    [{ state: "SUCCEEDED" }, "has succeeded at 2026-01-01T12:00:00.000Z"],
    [{ state: "FAILED", reason: "exit code 3" }, "has failed for good at 2026-01-01T12:00:00.000Z (exit code 3)"],
    [{ state: "CANCELLED", endTime: undefined }, "was cancelled"],
    [{ state: "SKIPPED", reason: "a failed" }, "was skipped at 2026-01-01T12:00:00.000Z (a failed)"],
    [{ state: "ON_HOLD" }, "is on hold"],
  ])("is explained by its state: %j", (more, line) => {
    expect(explainUnqueued({ ...facts, ...more })).toBe(line);
  });
});
