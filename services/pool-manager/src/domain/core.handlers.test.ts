import { describe, expect, it } from "vitest";
import { PoolCore } from "./core.js";
import { Bench, bid, settings, succeeded } from "./fixtures.js";
import type { Lease } from "./lease.js";

const where = (bench: Bench): string[] => bench.held().map(({ task, runner }) => `${task} on ${runner}`);

describe("work for a handler", () => {
  it("goes only to a runner that has it, however free the others are", () => {
    const bench = new Bench();
    bench.attach("idle", { capacity: 100 });
    bench.attach("resizer", { capacity: 2, handlers: ["resize", "crop"] });
    bench.bids(...["1", "2", "3"].map((task) => bid(task, { handler: "resize" })));
    expect(where(bench)).toEqual(["1 on resizer", "2 on resizer"]);
    expect(bench.do("checkAdmission", { bid: bid("4", { handler: "resize" }) })).toMatchObject([
      { reason: "RUNNERS_FULL", pool: "a", used: 2, capacity: 2 },
    ]);
    bench.complete(bench.held()[0] as Lease);
    expect(where(bench)).toEqual(["2 on resizer", "3 on resizer"]);
  });

  it("waits while no runner has it, says what there is instead, and holds nobody up", () => {
    const bench = new Bench({ overtakeLimit: 1 });
    bench.attach("r2", { handlers: ["encode", "crop"] });
    bench.attach("r1");
    bench.attach("r3", { handlers: ["resize"], pools: ["b"] });
    bench.bids(bid("waits", { handler: "resize", weights: [["x", 3]] }));
    const lacking = {
      reason: "NO_HANDLER",
      pool: "a",
      handler: "resize",
      attached: [
        { runner: "r1", handlers: [], handlerCount: 0 },
        { runner: "r2", handlers: ["crop", "encode"], handlerCount: 2 },
      ],
    };
    expect(bench.do("checkAdmission", { bid: bid("?", { handler: "resize" }) })).toMatchObject([lacking]);
    for (const task of ["1", "2", "3"]) {
      bench.bids(bid(task, { rank: 5, weights: [["x", 3]] }));
      expect(bench.tasks()).toEqual([task]);
      bench.complete(bench.held()[0] as Lease);
    }
    expect(bench.state.standing.kept.size).toBe(0);
    bench.attach("r1", { handlers: ["resize"] });
    expect(where(bench)).toEqual(["waits on r1"]);
  });

  it("names at most ten runners and ten handlers of each", () => {
    const bench = new Bench();
    const handlers = Array.from({ length: 12 }, (_, i) => `h${i + 10}`);
    for (let i = 10; i < 22; i++) bench.attach(`r${i}`, { handlers });
    const [refusal] = bench.do("checkAdmission", { bid: bid("?", { handler: "resize" }) });
    expect(refusal?.attached).toHaveLength(10);
    expect(refusal?.attached[0]).toEqual({ runner: "r10", handlers: handlers.slice(0, 10), handlerCount: 12 });
  });

  it("of a bid that names its runner waits for that one to have it", () => {
    const bench = new Bench();
    bench.attach("r1", { handlers: ["resize"] });
    bench.attach("r2");
    bench.bids(bid("t", { runner: "r2", handler: "resize" }), bid("u", { runner: "r2", pools: [], handler: "resize" }));
    expect(bench.tasks()).toEqual([]);
    const [refusal] = bench.do("checkAdmission", { bid: bid("?", { runner: "r2", handler: "resize" }) });
    expect(refusal).toMatchObject({ reason: "NO_HANDLER", attached: [{ runner: "r2" }] });
    bench.attach("r2", { handlers: ["resize"] });
    expect(where(bench)).toEqual(["t on r2", "u on r2"]);
  });

  it("isn't sent again to a runner that says anew what it has, without the handler; what it holds goes on", () => {
    const bench = new Bench();
    bench.attach("r1", { handlers: ["resize"] });
    bench.bids(bid("runs", { handler: "resize" }), bid("onTheWay", { handler: "resize" }));
    bench.attach("r1", { handlers: [] });
    expect(bench.held().map(({ state }) => state)).toEqual(["ACTIVE", "ACTIVE"]);
    bench.complete(bench.held()[1] as Lease, { ...succeeded, result: "NOT_STARTED" });
    bench.bids(bid("onTheWay", { attempt: 2, handler: "resize" }));
    expect(where(bench)).toEqual(["runs on r1"]);
    bench.attach("r2", { handlers: ["resize"] });
    expect(where(bench)).toEqual(["runs on r1", "onTheWay on r2"]);
  });

  it("is placed by what runners said before a restart", () => {
    const bench = new Bench();
    bench.attach("r1", { handlers: ["resize"] });
    bench.attach("r2");
    const again = new PoolCore(settings);
    again.load([]);
    for (const change of bench.changes) again.apply(change);
    again.decide({ kind: "mark" }, { monoMs: 0, wallMs: 0 });
    expect([...again.state.sessions.values()].map(({ record }) => record.handlers)).toEqual([["resize"], []]);
  });
});
