import { describe, expect, it } from "vitest";
import { Bench, bid, known, pool } from "./fixtures.js";
import type { Lease } from "./lease.js";
import { plainLimit } from "./limits.js";

describe("granting", () => {
  it("grants by rank, then by arrival, up to the smallest limit", () => {
    const bench = new Bench({}, { global: 2 });
    bench.bids(bid("late", { rank: 5 }), bid("first", { rank: 1 }), bid("second", { rank: 1 }));
    expect(bench.tasks()).toEqual([]);
    bench.attach("r");
    expect(bench.tasks()).toEqual(["first", "second"]);
  });

  it("grants in the same decision that released", () => {
    const bench = new Bench({}, { global: 1 });
    bench.attach("r");
    bench.bids(bid("one"), bid("two"));
    bench.complete(bench.held()[0] as Lease);
    expect(bench.tasks()).toEqual(["two"]);
  });

  it("doesn't let a class at a saturated limit block another class", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(
      bid("big", { rank: 1, weights: [["x", 3]] }),
      bid("blocked", { rank: 2, weights: [["x", 1]] }),
      bid("free", { rank: 3 }),
    );
    expect(bench.tasks()).toEqual(["big", "free"]);
  });

  it("takes the least loaded runner that has the labels, the first by id at a tie, and its lowest free slot", () => {
    const bench = new Bench();
    bench.attach("r2", { capacity: 2 });
    bench.attach("r1", { capacity: 2 });
    bench.attach("r0", { capacity: 9, labels: { gpu: "yes" } });
    bench.bids(bid("1", { runner: "r1" }), bid("2"), bid("3"), bid("4", { labels: { gpu: "yes" } }));
    expect(bench.held().map(({ task, slot }) => `${task} ${slot}`)).toEqual(["1 r1/1", "2 r0/1", "3 r2/1", "4 r0/2"]);
  });

  it("never gives an attempt a second lease, and says why", () => {
    const bench = new Bench();
    bench.attach("r");
    const [first] = bench.bids(bid("t"));
    expect(first).toMatchObject({ verdict: "GRANTED", lease: { token: 1 } });
    expect(bench.bids(bid("t"))[0]).toMatchObject({ verdict: "GRANTED", lease: { token: 1 } });
    bench.complete(bench.held()[0] as Lease);
    expect(bench.bids(bid("t"))[0]).toMatchObject({ verdict: "LOST" });
    expect(bench.bids(bid("t", { attempt: 2 }))[0]).toMatchObject({ verdict: "GRANTED", lease: { token: 2 } });
  });

  it("answers somebody else about a bid that stands for a stream, and leaves it standing", () => {
    const bench = new Bench();
    bench.bids(bid("t"));
    expect(bench.do("placeBids", { bids: [bid("t", { rank: 9 })], known })).toMatchObject([
      { verdict: "REFUSED", refusals: [{ reason: "NO_RUNNER" }] },
    ]);
    expect([...bench.state.standing.bids].map(({ session, rank }) => [session, rank])).toEqual([["s", 0]]);
    bench.attach("r");
    expect(bench.tasks()).toEqual(["t"]);
  });

  it("asks for another look into the store when it may have forgotten the attempt in between", () => {
    const bench = new Bench({ remembered: 1 });
    bench.attach("r");
    for (const task of ["1", "2", "3"]) {
      bench.bids(bid(task));
      bench.complete(bench.held()[0] as Lease);
    }
    expect(bench.do("bids", { session: "s", bids: [bid("1")], known: { leases: [], mark: 0 } })).toMatchObject([
      { verdict: "REREAD" },
    ]);
  });

  it("names every limit that refuses, with what is used and who holds it", () => {
    const bench = new Bench({}, { global: 1, a: 1 });
    bench.attach("r", { capacity: 1 });
    bench.bids(bid("holder", { weights: [["x", 3]] }));
    const refusals = bench.do("checkAdmission", { bid: bid("t", { weights: [["x", 1]] }) });
    expect(
      refusals.map(({ reason, limit, pool, used, capacity, wanted }) => [
        reason,
        limit || pool,
        used,
        capacity,
        wanted,
      ]),
    ).toEqual([
      ["LIMIT_FULL", "global", 1, 1, 1],
      ["LIMIT_FULL", "x", 3, 3, 1],
      ["LIMIT_FULL", "pool:a", 1, 1, 1],
      ["RUNNERS_FULL", "a", 1, 1, 1],
    ]);
    expect(refusals[0]?.holders).toMatchObject([{ task: "holder", weight: 1 }]);
  });

  it.each([
    ["a weight above the whole capacity", bid("t", { weights: [["x", 4]] }), "LIMIT_TOO_SMALL"],
    ["a limit that isn't there", bid("t", { weights: [["nowhere", 1]] }), "LIMIT_TOO_SMALL"],
    ["labels that no runner has", bid("t", { labels: { gpu: "yes" } }), "NO_RUNNER"],
    ["a weight that isn't a number", bid("t", { weights: [["x", Number.NaN]] }), "LIMIT_TOO_SMALL"],
  ])("refuses %s", (_what, asked, reason) => {
    const bench = new Bench();
    bench.attach("r");
    expect(bench.do("checkAdmission", { bid: asked }).map((refusal) => refusal.reason)).toEqual([reason]);
    expect(bench.do("placeBids", { bids: [asked], known })).toMatchObject([{ verdict: "REFUSED" }]);
    expect(bench.state.standing.size).toBe(0);
  });

  it("keeps freed capacity for a bid that was overtaken too often", () => {
    const bench = new Bench({ overtakeLimit: 3 });
    bench.attach("r");
    bench.bids(bid("0", { weights: [["x", 1]], rank: 9 }), bid("1", { weights: [["x", 1]], rank: 9 }));
    bench.bids(bid("big", { weights: [["x", 3]], rank: 1 }));
    let next = 2;
    for (; next < 20 && !bench.tasks().includes("big"); next++) {
      bench.bids(bid(String(next), { weights: [["x", 1]], rank: 9 }));
      bench.complete(bench.held()[0] as Lease);
    }
    expect(bench.tasks()).toContain("big");
    expect(next).toBeLessThan(10);
    expect(bench.state.standing.kept.size).toBe(0);
  });

  it("doesn't starve a bid that needs two locks which are never free at once", () => {
    const bench = new Bench({ overtakeLimit: 4 });
    bench.attach("r");
    for (const name of ["left", "right"]) bench.do("createLimit", { spec: plainLimit(name, 1), requestId: "" });
    const one = (name: string, i: number) => bid(`${name}${i}`, { weights: [[name, 1]], rank: 9 });
    bench.bids(one("left", 0), one("right", 0));
    bench.bids(
      bid("both", {
        weights: [
          ["left", 1],
          ["right", 1],
        ],
        rank: 1,
      }),
    );
    let turns = 1;
    for (; turns < 20 && !bench.tasks().includes("both"); turns++) {
      for (const name of ["left", "right"]) {
        bench.bids(one(name, turns));
        const holder = bench.held().find(({ task }) => task.startsWith(name));
        if (holder) bench.complete(holder);
      }
    }
    expect(bench.tasks()).toContain("both");
    expect(turns).toBeLessThan(6);
    expect(bench.state.standing.kept.size).toBe(0);
  });

  it("keeps a part of a limit for higher priorities", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.do("updateLimit", { name: "global", patch: { capacity: 2, reserve: 1, reservePriority: 5 }, etag: "" });
    bench.bids(bid("low1"), bid("low2"), bid("high", { priority: 5 }));
    expect(bench.tasks().sort()).toEqual(["high", "low1"]);
  });

  it("starts no more within a period than a rate allows", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.do("updateLimit", { name: "global", patch: { rate: 2, ratePeriodMs: 200 }, etag: "" });
    bench.bids(bid("1"), bid("2"), bid("3"));
    expect(bench.tasks()).toEqual(["1", "2"]);
    bench.nowMs = 199;
    bench.do("tick", {});
    expect(bench.tasks()).toEqual(["1", "2"]);
    bench.nowMs = 200;
    bench.do("tick", {});
    expect(bench.tasks()).toEqual(["1", "2", "3"]);
  });

  it("stops when the audit finds a difference", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.do("drift", { drift: 1 });
    bench.bids(bid("t"));
    expect(bench.tasks()).toEqual([]);
    expect(bench.do("checkAdmission", { bid: bid("t") })).toMatchObject([{ reason: "GRANTING_STOPPED" }]);
  });
});

describe("limits", () => {
  it("keeps running what exceeds a lowered capacity, and grants again when there is room", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("1"), bid("2"), bid("3"));
    bench.do("updateLimit", { name: "global", patch: { capacity: 1, reason: "night" }, etag: "" });
    bench.bids(bid("4"));
    expect(bench.tasks()).toEqual(["1", "2", "3"]);
    for (const lease of bench.held()) bench.complete(lease);
    expect(bench.tasks()).toEqual(["4"]);
  });

  it("goes back by itself, and every change of a capacity is in the audit list", () => {
    const bench = new Bench();
    bench.do("updateLimit", { name: "x", patch: { capacity: 9, expireMs: 1_000_050, revertCapacity: 2 }, etag: "" });
    bench.nowMs = 50;
    bench.do("tick", {});
    expect(bench.state.limits.get("x")).toMatchObject({ capacity: 2 });
    const capacities = bench.changes.flatMap((change) =>
      change.k === "limitChange" && change.change.limit === "x"
        ? [[change.change.oldCapacity, change.change.newCapacity]]
        : [],
    );
    expect(capacities).toEqual([
      [undefined, 3],
      [3, 9],
      [9, 2],
    ]);
  });

  it("counts a tenant without a bound until somebody sets one", () => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("1", { tenant: "t" }), bid("2", { tenant: "t" }));
    expect(bench.state.ledger.used("tenant:t")).toBe(2);
    bench.do("createLimit", { spec: plainLimit("tenant:t", 2), requestId: "" });
    bench.bids(bid("3", { tenant: "t" }));
    expect(bench.tasks()).toEqual(["1", "2"]);
  });

  it.each([
    ["global can't be deleted", "WRONG_STATE", (bench: Bench) => bench.do("deleteLimit", { name: "global" })],
    ["an occupied pool can't be deleted", "WRONG_STATE", (bench: Bench) => bench.do("deletePool", { name: "a" })],
    [
      "a name that exists automatically can't be created",
      "INVALID_FIELD",
      (bench: Bench) => bench.do("createLimit", { spec: plainLimit("pool:z", 1), requestId: "" }),
    ],
    [
      "a stale etag is refused",
      "STALE_ETAG",
      (bench: Bench) => bench.do("updateLimit", { name: "x", patch: { capacity: 1 }, etag: "0" }),
    ],
    [
      "what exists can't be created",
      "ALREADY_EXISTS",
      (bench: Bench) => bench.do("createPool", { spec: pool("a", 1), requestId: "" }),
    ],
    [
      "what isn't there can't be updated",
      "NOT_FOUND",
      (bench: Bench) => bench.do("updatePool", { name: "q", patch: {}, etag: "" }),
    ],
  ])("%s", (_what, refused, act) => {
    const bench = new Bench();
    bench.attach("r");
    bench.bids(bid("t"));
    expect(act(bench)).toMatchObject({ refused });
  });
});
