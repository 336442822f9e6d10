import { describe, expect, it } from "vitest";
import type { RefusalFacts } from "./explain.js";
import { coreFor, granted, ready } from "./fixtures.js";
import { shortCause, waitingOf } from "./waiting.js";

const refusal = (reason: string, more: Partial<RefusalFacts> = {}): RefusalFacts => ({
  reason,
  limit: "",
  pool: "",
  wanted: 1,
  used: 2,
  capacity: 2,
  holders: [],
  handler: "",
  attached: [],
  ...more,
});

describe("the word for what holds a task back", () => {
  it.each([
    ["api:llm 2/2", [refusal("LIMIT_FULL", { limit: "api:llm" })]],
    ["pool build full", [refusal("LIMIT_FULL", { limit: "pool:build", pool: "build" })]],
    [
      "api 2/2",
      [
        refusal("LIMIT_FULL", { limit: "global" }),
        refusal("LIMIT_FULL", { limit: "pool:build", pool: "build" }),
        refusal("LIMIT_FULL", { limit: "api" }),
      ],
    ],
    ["gpu of the set 2/2", [refusal("LIMIT_FULL", { limit: "set:s:gpu" })]],
    ["the set 2/2", [refusal("LIMIT_FULL", { limit: "set:s" })]],
    [
      "gpu of the set has no capacity yet",
      [refusal("LIMIT_TOO_SMALL", { limit: "set:s:gpu", capacity: 0, used: 0 }), refusal("LIMIT_FULL", { limit: "a" })],
    ],
    ["build cpu 2/2", [refusal("LIMIT_FULL", { limit: "pool:build:cpu", pool: "build" })]],
    ["pool build paused", [refusal("LIMIT_FULL", { limit: "a" }), refusal("POOL_PAUSED", { pool: "build" })]],
    ["no runner in build", [refusal("NO_RUNNER", { pool: "build" })]],
    [
      "no runner has handler render",
      [refusal("LIMIT_FULL", { limit: "a" }), refusal("NO_HANDLER", { handler: "render" })],
    ],
    ["no runner of build has handler render", [refusal("NO_HANDLER", { pool: "build", handler: "render" })]],
    ["api too small: needs 3 of 2", [refusal("LIMIT_TOO_SMALL", { limit: "api", wanted: 3 })]],
    ["next in turn", []],
    ["x of tomorrow", [refusal("OF_TOMORROW", { limit: "x" })]],
  ])("is %j", (words, refusals) => expect(shortCause(refusals)).toBe(words));
});

describe("what waits", () => {
  it("is asked about once for each class, by its first task, and counts every task once, those with a lease not", () => {
    const core = coreFor();
    const now = { monoMs: 0, wallMs: 0 };
    core.decide([{ kind: "registry-connected" }, { kind: "bids-connected" }], now);
    const limited = { limits: { api: 1 } };
    const tasks = [1, 2, 3].map((n) => ready(n)).concat(ready(4, limited), ready(5, { ...limited, priority: 2 }));
    tasks.push(ready(6, { task: "other/t6" }), ready(7, { task: "s2/t7", tenant: "x" }));
    core.decide([{ kind: "ready", tasks, gone: [], complete: true }], now);
    const results = [
      granted({ task: "s/t1", attempt: 1 }),
      { task: "s/t2", attempt: 1, verdict: "invalid" as const, message: "m" },
    ];
    core.decide([{ kind: "results", results }], now);
    const seen = (set: string) => {
      const { classes, aside, unasked } = waitingOf(core, set);
      return { classes: classes.map(({ first, count }) => [first.name, count]), aside, unasked };
    };
    expect(seen("s")).toEqual({
      classes: [
        ["s/t5", 2],
        ["s/t3", 1],
      ],
      aside: 1,
      unasked: 0,
    });
    expect(new Set(seen("").classes)).toEqual(
      new Set([
        ["s/t3", 2],
        ["s/t5", 2],
        ["s2/t7", 1],
      ]),
    );
    expect(seen("nothing")).toEqual({ classes: [], aside: 0, unasked: 0 });
  });

  it("in more classes than one answer asks about is counted as such", () => {
    const core = coreFor();
    const tasks = Array.from({ length: 70 }, (_, n) => ready(n, { limits: { [`l${n}`]: 1 } }));
    core.decide([{ kind: "ready", tasks, gone: [], complete: true }], { monoMs: 0, wallMs: 0 });
    const { classes, unasked } = waitingOf(core, "");
    expect([classes.length, unasked]).toEqual([64, 6]);
  });
});
