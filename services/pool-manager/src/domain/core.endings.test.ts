import { describe, expect, it } from "vitest";
import { Bench, bid, known, succeeded } from "./fixtures.js";
import type { Lease, Outcome } from "./lease.js";
import { statusOf } from "./status.js";

describe("how a lease ends", () => {
  it.each<[string, Outcome["result"], boolean, string]>([
    ["a success", "SUCCEEDED", false, "COMPLETED"],
    ["a failure", "FAILED", false, "COMPLETED"],
    ["a stop that was asked for", "STOPPED", true, "REVOKED"],
    ["a stop that nobody asked for", "STOPPED", false, "COMPLETED"],
    ["a success in spite of a revocation", "SUCCEEDED", true, "COMPLETED"],
    ["a run that never began", "NOT_STARTED", true, "NOT_STARTED"],
  ])("%s releases it with its reason", (_what, result, revoked, reason) => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("t"));
    if (revoked) bench.do("forbid", { attempts: [{ task: "t", attempt: 1 }], reason: "cancelled", known });
    expect(bench.complete(bench.held()[0] as Lease, { ...succeeded, result })).toBe("APPLIED");
    expect(bench.changes.at(-1)).toMatchObject({ k: "lease", e: "RELEASED", l: { reason } });
  });

  it("takes one outcome; a repeat gets the same answer, a stale token changes nothing and is recorded", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("t"));
    const lease = bench.held()[0] as Lease;
    expect(bench.complete(lease, succeeded, { token: 99 })).toBe("STALE");
    expect(bench.changes.at(-1)).toMatchObject({ k: "stale", token: 99 });
    expect(bench.complete(lease)).toBe("APPLIED");
    expect(bench.complete(lease)).toBe("REPEATED");
  });

  it("expires the leases of a silent runner, waits for late results, and keeps one that comes after that", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("1"), bid("2"));
    const [one, two] = bench.held() as [Lease, Lease];
    for (let ms = 0; ms < 1_000; ms += 200) {
      bench.nowMs = ms;
      bench.do("tick", {});
    }
    expect(bench.held().map(({ state }) => state)).toEqual(["ACTIVE", "ACTIVE"]);
    bench.nowMs = 1_000;
    expect(bench.do("tick", {})).toMatchObject({ lost: ["r"], alarm: "" });
    expect(bench.held().map(({ state }) => state)).toEqual(["EXPIRED", "EXPIRED"]);
    expect(bench.renew("r")).toMatchObject({ refused: "SESSION_EXPIRED" });
    expect(bench.complete(one)).toBe("APPLIED");
    bench.nowMs = 1_100;
    bench.do("tick", {});
    expect(bench.held()).toEqual([]);
    const late = bench.do("complete", {
      runner: "r",
      items: [{ lease: two.id, token: two.token, outcome: succeeded }],
      known: { ...known, leases: [{ ...two, state: "RELEASED", reason: "EXPIRED", ordinal: 2 }] },
    });
    expect(late).toEqual({ verdicts: ["LATE"] });
    expect(bench.complete(two)).toBe("REPEATED");
  });

  it("releases at once what earlier processes held when a runner comes back, after taking their outcomes", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("1"), bid("2"));
    const [one] = bench.held() as [Lease];
    const answer = bench.do("attach", {
      runner: "r",
      incarnation: "r-2",
      pools: ["a"],
      capacity: 4,
      labels: {},
      handlers: [],
      startNumber: 0,
      earlierProcessesDead: true,
      known,
      inventory: [{ lease: one.id, token: one.token, state: "ENDED", outcome: succeeded }],
    });
    expect(answer).toMatchObject({ results: [{ lease: one.id, verdict: "APPLIED" }], revocations: [] });
    expect(bench.held()).toEqual([]);
    expect(bench.changes.filter((change) => change.k === "lease" && change.e === "RELEASED")).toMatchObject([
      { l: { reason: "COMPLETED" } },
      { l: { reason: "RUNNER_LOST" } },
    ]);
    expect(bench.renew("r")).toMatchObject({ refused: "STALE_INCARNATION" });
    expect(bench.attach("r")).toMatchObject({ refused: "STALE_INCARNATION" });
    expect(bench.complete(one, succeeded, { incarnation: "r-1" })).toBe("STALE_INCARNATION");
  });

  it("a runner that has detached is gone at once, one that fell silent isn't, and an earlier start of it stays refused", () => {
    const bench = new Bench();
    const start = (startNumber: number) =>
      bench.do("attach", {
        runner: "r",
        incarnation: `r-${startNumber}`,
        pools: ["a"],
        capacity: 4,
        labels: {},
        handlers: [],
        startNumber,
        earlierProcessesDead: true,
        inventory: [],
        known,
      });
    start(2);
    bench.attach("silent");
    bench.nowMs = 1;
    expect(bench.do("detach", { runner: "r", incarnation: "r-2" })).toBeUndefined();
    const listed = () => {
      const status = statusOf(bench.state, { monoMs: bench.nowMs, wallMs: bench.nowMs });
      const limits = status.limits.filter(({ name }) => name.startsWith("runner:"));
      return [status.runners.map(({ runner, state }) => `${runner} ${state}`), limits.map(({ name }) => name)];
    };
    expect(listed()).toEqual([["silent LIVE"], ["runner:silent"]]);
    bench.nowMs = 1_000;
    bench.do("tick", {});
    expect(listed()).toEqual([["silent LOST"], ["runner:silent"]]);
    expect(bench.renew("r", "r-2")).toMatchObject({
      refused: "SESSION_EXPIRED",
      message: expect.stringContaining("has detached"),
    });
    expect(start(1)).toMatchObject({ refused: "STALE_INCARNATION" });
    expect(start(3)).toMatchObject({ results: [] });
    expect(listed()).toEqual([
      ["r LIVE", "silent LOST"],
      ["runner:r", "runner:silent"],
    ]);
  });

  it("revokes a lease that its runner doesn't have for too long, and repeats that until it is answered", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("t"));
    const lease = bench.held()[0] as Lease;
    bench.nowMs = 500;
    expect(bench.renew("r", "r-1", [])).toMatchObject({ revocations: [] });
    bench.nowMs = 501;
    expect(bench.renew("r", "r-1", [])).toMatchObject({ revocations: [{ lease: lease.id }] });
    expect(bench.renew("r", "r-1", [])).toMatchObject({ revocations: [{ lease: lease.id }] });
    const answer = bench.do("renew", {
      runner: "r",
      incarnation: "r-1",
      inventory: [],
      draining: false,
      refused: [{ lease: lease.id, token: lease.token }],
      known,
    });
    expect(answer).toMatchObject({ results: [{ verdict: "APPLIED" }], revocations: [] });
    expect(bench.changes.at(-1)).toMatchObject({ e: "RELEASED", l: { reason: "NOT_STARTED" } });
  });

  it("forbids an attempt for ever, before it has a lease", () => {
    const bench = new Bench();
    bench.bids(bid("t"));
    expect(bench.do("forbid", { attempts: [{ task: "t", attempt: 1 }], reason: "cancelled", known })).toMatchObject({
      results: [{ found: "NO_LEASE" }],
    });
    bench.attach("r");
    expect(bench.held()).toEqual([]);
    expect(bench.bids(bid("t"))).toMatchObject([{ verdict: "LOST" }]);
  });
});

describe("the brake", () => {
  it("gives a fleet that falls silent at once another TTL, and grants nothing meanwhile", () => {
    const bench = new Bench({}, { global: 100, a: 100 });
    for (let i = 0; i < 5; i++) bench.attach(`r${i}`);
    bench.bids(bid("t", { runner: "r1" }));
    const tickUntil = (untilMs: number): string[] => {
      const lost: string[] = [];
      for (; bench.nowMs < untilMs; ) {
        bench.nowMs += 200;
        lost.push(...bench.do("tick", {}).lost);
      }
      return lost;
    };
    expect(tickUntil(1_000)).toEqual([]);
    expect(bench.state.stopReason).toContain("5 of 5 runners fell silent at once");
    for (let i = 1; i < 5; i++) bench.renew(`r${i}`);
    bench.bids(bid("u", { runner: "r1" }));
    expect(bench.tasks()).toEqual(["t"]);
    bench.renew("r0");
    bench.do("tick", {});
    expect(bench.tasks()).toEqual(["t", "u"]);
  });

  it("expires nobody right after a pause of its own", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.do("tick", {});
    bench.nowMs = 5_000;
    expect(bench.do("tick", {})).toMatchObject({
      lost: [],
      alarm: expect.stringContaining("itself paused for 5000 ms"),
    });
    bench.renew("r");
    bench.nowMs = 5_100;
    bench.do("tick", {});
    expect(bench.state.stopReason).toBe("");
  });
});
