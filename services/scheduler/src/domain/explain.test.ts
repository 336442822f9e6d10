import { describe, expect, it } from "vitest";
import { explain } from "./explain.js";

const base = { phase: "waiting" as const, ahead: 0, refusals: [], runner: "", message: "" };
const full = {
  reason: "LIMIT_FULL",
  limit: "pool:build",
  pool: "build",
  wanted: 1,
  used: 3,
  capacity: 3,
  holders: ["s/a", "s/b", "s/c"],
  handler: "",
  attached: [],
};
const noHandler = { ...full, reason: "NO_HANDLER", limit: "", handler: "resize" };

describe("explaining why a task waits", () => {
  it.each([
    [
      "a full pool",
      { ...base, refusals: [full], ahead: 12 },
      "waits for pool `build` (3 of 3 in use by s/a, s/b, s/c); 12 tasks of its kind are ahead",
    ],
    ["only its turn", { ...base, ahead: 1 }, "waits for its turn; 1 task of its kind is ahead"],
    ["nothing", base, "is about to be granted: nothing refuses it"],
    [
      "two limits",
      {
        ...base,
        refusals: [
          { ...full, limit: "global", wanted: 2, holders: [] },
          { ...full, reason: "LIMIT_TOO_SMALL", limit: "repo:web", wanted: 5 },
        ],
      },
      "waits for the global limit (3 of 3 in use; it needs 2), and for limit `repo:web` to be raised: it needs 5, and there are only 3",
    ],
    [
      "limits of its set, one full and one not there yet",
      {
        ...base,
        refusals: [
          { ...full, limit: "set:s" },
          { ...full, reason: "LIMIT_TOO_SMALL", limit: "set:s:gpu", wanted: 1, used: 0, capacity: 0 },
        ],
      },
      "waits for the tasks of set `s` (3 of 3 in use by s/a, s/b, s/c), and for limit `gpu` of set `s` to be made, or raised: it has no capacity",
    ],
    [
      "no runner",
      { ...base, refusals: [{ ...full, reason: "NO_RUNNER", limit: "" }] },
      "waits for a runner of pool `build` with its labels: none is attached",
    ],
    [
      "a handler that no runner has, with what they have instead",
      {
        ...base,
        refusals: [
          {
            ...noHandler,
            attached: [
              { runner: "r1", handlers: ["crop", "encode"], handlerCount: 2 },
              { runner: "r2", handlers: [], handlerCount: 0 },
            ],
          },
        ],
      },
      "waits for a runner of pool `build`: no attached runner has handler `resize`; attached: `crop`, `encode` (on runner `r1`), none (on runner `r2`)",
    ],
    [
      "a handler among many runners with many others",
      {
        ...base,
        refusals: [
          {
            ...noHandler,
            attached: ["r1", "r2", "r3", "r4"].map((runner) => ({
              runner,
              handlers: ["a", "b", "c", "d", "e", "f"],
              handlerCount: 40,
            })),
          },
        ],
      },
      `waits for a runner of pool \`build\`: no attached runner has handler \`resize\`; attached: ${["r1", "r2", "r3"].map((runner) => `\`a\`, \`b\`, \`c\`, \`d\`, \`e\`, 35 more (on runner \`${runner}\`)`).join(", ")}, …`,
    ],
    [
      "cpu",
      { ...base, refusals: [{ ...full, limit: "pool:build:cpu", holders: ["1", "2", "3", "4"] }] },
      "waits for cpu of pool `build` (3 of 3 in use by 1, 2, 3, …)",
    ],
    [
      "a lease that isn't started",
      { ...base, phase: "granted" as const, runner: "r1" },
      "has a lease on runner `r1`, which is to start it",
    ],
  ])("names %s", (_, facts, line) => {
    expect(explain(facts)).toBe(line);
  });
});
