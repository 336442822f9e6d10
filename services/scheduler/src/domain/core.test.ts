import { describe, expect, it } from "vitest";
import type { Actions, Command } from "./command.js";
import type { SchedulerCore } from "./core.js";
import { coreFor, granted, ready } from "./fixtures.js";
import { aheadOf, inOrder, queueNumbers } from "./look.js";
import type { ReadyTask } from "./task.js";

const now = { monoMs: 0, wallMs: 5_000 };
const readied = (...tasks: ReadyTask[]): Command => ({ kind: "ready", tasks, gone: [], complete: false });
const gone = (...names: string[]): Command => ({ kind: "ready", tasks: [], gone: names, complete: false });
const bidsOf = (actions: Actions) => actions.bids.map((bid) => bid.task.task);

function connected(options = {}): SchedulerCore {
  const core = coreFor(options);
  core.decide([{ kind: "registry-connected" }, { kind: "bids-connected" }], now);
  return core;
}

describe("bids", () => {
  it("stand for the best tasks of a class, larger priority first, then first come", () => {
    const core = connected();
    const actions = core.decide(
      [readied(ready(1), ready(2, { priority: 1 }), ready(3), ready(4, { priority: 1 }))],
      now,
    );
    expect(bidsOf(actions).sort()).toEqual(["s/t2", "s/t4"]);
    expect(inOrder(core, 10).map((entry) => entry.name)).toEqual(["s/t2", "s/t4", "s/t1", "s/t3"]);
  });

  it("of one class don't fill the window of another", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2), ready(3))], now);
    const actions = core.decide([readied(ready(4, { limits: { "repo:web": 1 } }))], now);
    expect(bidsOf(actions)).toEqual(["s/t4"]);
  });

  it("for a handler that no runner has don't fill the window of another handler, nor of commands", () => {
    const core = connected();
    core.decide([readied(...[1, 2, 3].map((n) => ready(n, { handler: "resize" })))], now);
    const actions = core.decide([readied(ready(4, { handler: "encode" }), ready(5))], now);
    expect(bidsOf(actions)).toEqual(["s/t4", "s/t5"]);
  });

  it("are topped up as they are granted or lost", () => {
    const core = connected();
    core.decide([readied(...[1, 2, 3, 4].map((n) => ready(n)))], now);
    const actions = core.decide(
      [
        {
          kind: "results",
          results: [
            granted({ task: "s/t1", attempt: 1 }),
            { task: "s/t2", attempt: 1, verdict: "lost", message: "ended" },
          ],
        },
      ],
      now,
    );
    expect(bidsOf(actions)).toEqual(["s/t3", "s/t4"]);
    expect(actions.work.map((work) => work.task.task)).toEqual(["s/t1"]);
    expect(actions.refused).toMatchObject([{ task: "s/t2", verdict: "lost" }]);
  });

  it("give way to a better newcomer, and come back when the withdrawal is answered", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2), ready(3))], now);
    const actions = core.decide([readied(ready(9, { priority: 5 }))], now);
    expect(actions.withdrawals).toEqual([{ task: "s/t2", attempt: 1 }]);
    expect(bidsOf(actions)).toEqual(["s/t9"]);
    // t3 goes after t2, whose place isn't known yet: it doesn't slip in.
    expect(bidsOf(core.decide([{ kind: "results", results: [granted({ task: "s/t9", attempt: 1 })] }], now))).toEqual(
      [],
    );
    const answered = core.decide(
      [{ kind: "results", results: [{ task: "s/t2", attempt: 1, verdict: "withdrawn" }] }],
      now,
    );
    expect(bidsOf(answered)).toEqual(["s/t2"]);
  });

  it("that were being withdrawn may be granted all the same", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2))], now);
    core.decide([readied(ready(9, { priority: 5 }))], now);
    const actions = core.decide([{ kind: "results", results: [granted({ task: "s/t2", attempt: 1 })] }], now);
    expect(actions.work.map((work) => work.task.task)).toEqual(["s/t2"]);
    expect(core.windows.standingBids).toBe(2);
  });

  it("that never left aren't withdrawn when a better task comes in the same turn", () => {
    const core = connected({ bidWindow: 1 });
    const actions = core.decide([readied(ready(1)), readied(ready(2, { priority: 1 }))], now);
    expect(actions.withdrawals).toEqual([]);
    expect(bidsOf(actions)).toEqual(["s/t2"]);
  });

  it("are withdrawn when the task is gone, and replaced when its next attempt is ready", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2))], now);
    expect(core.decide([gone("s/t1")], now).withdrawals).toEqual([{ task: "s/t1", attempt: 1 }]);
    const actions = core.decide([readied(ready(2, { attempt: 2, sequence: 9 }))], now);
    expect(actions.withdrawals).toEqual([{ task: "s/t2", attempt: 1 }]);
    expect(actions.bids).toMatchObject([{ task: { task: "s/t2", attempt: 2 } }]);
  });

  it("are renewed under the same key when a task's priority changes", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2))], now);
    const actions = core.decide([readied(ready(2, { priority: 7 }))], now);
    expect(actions.withdrawals).toEqual([]);
    expect(bidsOf(actions)).toEqual(["s/t2"]);
    expect(inOrder(core, 1).map((entry) => entry.name)).toEqual(["s/t2"]);
  });

  it("that were refused for good are tried again after a while", () => {
    const core = connected();
    core.decide([readied(ready(1))], now);
    core.decide(
      [{ kind: "results", results: [{ task: "s/t1", attempt: 1, verdict: "invalid", message: "pools[0]: unknown" }] }],
      now,
    );
    expect(queueNumbers(core).queueSize).toBe(1);
    expect(bidsOf(core.decide([{ kind: "tick" }], { ...now, monoMs: 999 }))).toEqual([]);
    expect(bidsOf(core.decide([{ kind: "tick" }], { ...now, monoMs: 1_000 }))).toEqual(["s/t1"]);
  });

  it("share the total bound among the classes, one at least for each", () => {
    const core = connected({ bidWindow: 10, standingBidsMax: 4 });
    const tasks = [1, 2, 3, 4, 5, 6].map((n) => ready(n, { tenant: n % 2 ? "a" : "b" }));
    expect(core.decide([readied(...tasks)], now).bids).toHaveLength(4);
  });
});

describe("connections", () => {
  it("of the pool-manager: all standing bids are placed again, and what was granted unheard brings its lease", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2), ready(3))], now);
    core.decide([{ kind: "bids-lost" }], now);
    expect(core.decide([readied(ready(4, { priority: 9 }))], now).bids).toEqual([]);
    const actions = core.decide([{ kind: "bids-connected" }], now);
    expect(bidsOf(actions)).toEqual(["s/t1", "s/t4"]);
    // t2 gave way to t4, but it may have been granted unheard: the withdrawal's answer tells.
    expect(actions.withdrawals).toEqual([{ task: "s/t2", attempt: 1 }]);
    const answer = core.decide([{ kind: "results", results: [granted({ task: "s/t2", attempt: 1 })] }], now);
    expect(answer.work.map((work) => work.task.task)).toEqual(["s/t2"]);
  });

  it("of the registry: what isn't in the new snapshot is dropped, what is stays as it was", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2), ready(3))], now);
    const actions = core.decide(
      [{ kind: "registry-connected" }, { kind: "ready", tasks: [ready(2), ready(3)], gone: [], complete: true }],
      now,
    );
    expect(actions.withdrawals).toEqual([{ task: "s/t1", attempt: 1 }]);
    expect(bidsOf(actions)).toEqual(["s/t3"]);
  });

  it("of a restarted scheduler: an assigned task is bid for outside the window and handed out again", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2))], now);
    const actions = core.decide([readied(ready(3, { assigned: true }))], now);
    expect(bidsOf(actions)).toEqual(["s/t3"]);
    const answer = core.decide([{ kind: "results", results: [granted({ task: "s/t3", attempt: 1 })] }], now);
    expect(answer.work).toHaveLength(1);
    expect(core.assignmentsTotal).toBe(0);
  });

  it("of a runner: it gets again whatever is granted to its incarnation and not known to have begun", () => {
    const core = connected();
    core.decide([readied(ready(1), ready(2))], now);
    core.decide(
      [{ kind: "results", results: [granted({ task: "s/t1", attempt: 1 }), granted({ task: "s/t2", attempt: 1 })] }],
      now,
    );
    core.decide([gone("s/t1")], now);
    const again = core.decide([{ kind: "runner-connected", runner: "r1", incarnation: "i1" }], now);
    expect(again.work.map((work) => work.task.task)).toEqual(["s/t2"]);
    expect(core.decide([{ kind: "runner-connected", runner: "r1", incarnation: "i2" }], now).work).toEqual([]);
  });
});

describe("numbers", () => {
  it("count ready tasks without a lease, and how many go before one", () => {
    const core = connected();
    core.decide([readied(...[1, 2, 3, 4].map((n) => ready(n)), ready(5, { pools: ["test"], readyWallMs: 7 }))], now);
    core.decide([{ kind: "results", results: [granted({ task: "s/t1", attempt: 1 })] }], now);
    const numbers = queueNumbers(core);
    expect(numbers).toMatchObject({ queueSize: 4, standingBids: 3, classCount: 2, oldestReadyWallMs: 0 });
    expect(Object.fromEntries(numbers.queueSizeByPool)).toEqual({ build: 3, test: 1 });
    expect(core.waits.meanMs).toBe(5_000);
    const last = core.entries.get("s/t4");
    expect(last && aheadOf(last)).toBe(2);
  });

  it("list page by page in the order of trial", () => {
    const core = connected();
    core.decide([readied(...[1, 2, 3, 4, 5, 6].map((n) => ready(n, { tenant: `t${n % 3}` })))], now);
    const first = inOrder(core, 4);
    const rest = inOrder(core, 4, first.at(-1));
    expect([...first, ...rest].map((entry) => entry.task.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
