import { describe, expect, it } from "vitest";
import { coreFor, granted, ready } from "./fixtures.js";
import type { AttemptRef } from "./task.js";

const now = { monoMs: 0, wallMs: 0 };
const total = 100_000;

describe("100,000 ready tasks", () => {
  it("are absorbed and handed out, each once", () => {
    const core = coreFor({ bidWindow: 256 });
    core.decide([{ kind: "registry-connected" }, { kind: "bids-connected" }], now);
    let standing: AttemptRef[] = [];
    for (let at = 0; at < total; at += 1_000) {
      const tasks = Array.from({ length: 1_000 }, (_, index) =>
        ready(at + index, { priority: index % 7, tenant: `t${index % 4}` }),
      );
      const actions = core.decide([{ kind: "ready", tasks, gone: [], complete: false }], now);
      const withdrawn = actions.withdrawals.map((one) => ({ ...one, verdict: "withdrawn" as const }));
      const away = new Set(withdrawn.map((one) => one.task));
      standing = [
        ...standing.filter((one) => !away.has(one.task)),
        ...actions.bids.map(({ task }) => ({ task: task.task, attempt: 1 })),
      ];
      const again = core.decide([{ kind: "results", results: withdrawn }], now);
      standing.push(...again.bids.map(({ task }) => ({ task: task.task, attempt: 1 })));
    }
    let handedOut = 0;
    while (standing.length > 0) {
      const results = standing.map((one) => granted(one));
      const actions = core.decide([{ kind: "results", results }], now);
      core.decide([{ kind: "ready", tasks: [], gone: standing.map((one) => one.task), complete: false }], now);
      handedOut += actions.work.length;
      standing = actions.bids.map(({ task }) => ({ task: task.task, attempt: 1 }));
    }
    expect(handedOut).toBe(total);
  });
});
