import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bid } from "./bid.js";
import type { Change } from "./changes.js";
import type { AnswerOf, Command, CommandKind, CommandOf } from "./commands.js";
import { PoolCore } from "./core.js";
import { attemptKey, type Lease, type Outcome } from "./lease.js";
import { type Limit, plainLimit, sumWeights } from "./limits.js";
import type { Settings } from "./state.js";

const settings: Settings = {
  ttlMs: 1_000,
  lateWaitMs: 100,
  assignTimeoutMs: 500,
  overtakeLimit: 1_000_000,
  remembered: 50,
  standingMax: 1_000,
};
const known = { leases: [], mark: Number.MAX_SAFE_INTEGER };
const succeeded: Outcome = {
  result: "SUCCEEDED",
  exitCode: 0,
  signal: "",
  message: "",
  resultJson: "",
  permanent: false,
  outputBytes: 0,
  endMs: 5,
};

function bid(task: string, more: Partial<Bid> = {}): Bid {
  return {
    task,
    attempt: 1,
    pools: ["a"],
    labels: {},
    weights: [],
    tenant: "",
    rank: 0,
    cpuMillis: 0,
    memoryBytes: 0,
    runner: "",
    priority: 0,
    readyMs: 0,
    traceParent: "",
    ...more,
  };
}

function pool(name: string, maxConcurrency: number) {
  return {
    name,
    type: "REMOTE" as const,
    maxConcurrency,
    cpuMillis: 0,
    memoryBytes: 0,
    slots: [],
    skills: [],
    paused: false,
    reason: "",
  };
}

/** A core with a clock of its own, that keeps every change it made. */
class Bench {
  readonly core: PoolCore;
  readonly changes: Change[] = [];
  nowMs = 0;

  constructor(more: Partial<Settings> = {}, capacities: { global?: number; a?: number; b?: number } = {}) {
    this.core = new PoolCore({ ...settings, ...more });
    const { global = 10, a = 10, b = 10 } = capacities;
    this.do("begin", {
      dataId: "d",
      limits: [plainLimit("global", global), plainLimit("x", 3)],
      pools: [pool("a", a), pool("b", b)],
    });
  }

  get state() {
    return this.core.state;
  }

  do<Kind extends CommandKind>(kind: Kind, takes: Omit<CommandOf<Kind>, "kind">): AnswerOf<Kind> {
    const { outcome, changes } = this.core.decide({ kind, ...takes } as unknown as Command, {
      monoMs: this.nowMs,
      wallMs: 1_000_000 + this.nowMs,
    });
    this.changes.push(...changes);
    for (const change of changes) {
      const key = this.core.rowKey(change);
      if (key !== undefined && this.core.row(key)?.final) this.core.written(key);
    }
    return outcome as AnswerOf<Kind>;
  }

  attach(
    runner: string,
    more: { capacity?: number; pools?: string[]; incarnation?: string; labels?: Record<string, string> } = {},
  ) {
    const { capacity = 4, pools = ["a", "b"], incarnation = `${runner}-1`, labels = {} } = more;
    return this.do("attach", {
      runner,
      incarnation,
      pools,
      capacity,
      labels,
      earlierProcessesDead: true,
      inventory: [],
      known: [],
    });
  }

  renew(runner: string, incarnation = `${runner}-1`, inventory: readonly Lease[] = this.held()) {
    const reports = inventory
      .filter((lease) => lease.runner === runner)
      .map((lease) => ({ lease: lease.id, token: lease.token, state: "RUNNING" as const }));
    return this.do("renew", { runner, incarnation, inventory: reports, draining: false, refused: [], known: [] });
  }

  bids(...bids: Bid[]) {
    return this.do("bids", { session: "s", bids, known });
  }

  complete(lease: Lease, outcome: Outcome = succeeded, more: { token?: number; incarnation?: string } = {}) {
    const answer = this.do("complete", {
      runner: lease.runner,
      incarnation: more.incarnation,
      items: [{ lease: lease.id, token: more.token ?? lease.token, outcome }],
      known: [],
    });
    return "verdicts" in answer ? answer.verdicts[0] : answer.refused;
  }

  held(): Lease[] {
    return [...this.state.ledger.leases.values()].map(({ lease }) => lease);
  }

  tasks(): string[] {
    return this.held().map(({ task }) => task);
  }
}

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
      known: [{ ...two, state: "RELEASED", reason: "EXPIRED", ordinal: 2 }],
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
      earlierProcessesDead: true,
      known: [],
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
      known: [],
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
      "a name that is made by itself can't be created",
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

// ---------------------------------------------------------------- properties, against a model that counts anew every time

type Step = (bench: Bench, model: Model) => void;

class Model {
  readonly occupying = new Map<string, Lease>();
  readonly released = new Set<string>();
  readonly attempts = new Set<string>();
  lastToken = 0;
  incarnations = new Map<string, number>();

  take(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.k !== "lease") continue;
      const { l: lease, e: event } = change;
      if (event === "GRANTED") {
        expect(lease.token, "S3: tokens grow").toBeGreaterThan(this.lastToken);
        this.lastToken = lease.token;
        const key = attemptKey(lease.task, lease.attempt);
        expect(this.attempts.has(key), "an attempt never gets a second lease").toBe(false);
        this.attempts.add(key);
      }
      if (event === "RELEASED") {
        expect(this.released.has(lease.id), "S5: released once").toBe(false);
        this.released.add(lease.id);
        this.occupying.delete(lease.id);
      } else if (event !== "LATE_RESULT") {
        expect(this.released.has(lease.id), "released is the end").toBe(false);
        this.occupying.set(lease.id, lease);
      }
    }
  }
}

function check(bench: Bench, model: Model, changes: readonly Change[]): void {
  model.take(changes);
  const { state } = bench;
  const leases = [...model.occupying.values()];
  const sums = sumWeights(leases);
  expect(new Map([...sums].sort()), "the index is the sum of the leases").toEqual(
    new Map([...state.ledger.counts()].sort()),
  );
  const capacityOf = (name: string): number =>
    state.limits.get(name)?.capacity ??
    state.sessions.get(name.slice("runner:".length))?.record.capacity ??
    Number.POSITIVE_INFINITY;
  for (const change of changes) {
    if (change.k !== "lease" || change.e !== "GRANTED") continue;
    for (const [limit] of change.l.weights)
      expect(sums.get(limit) ?? 0, `S1: ${limit}`).toBeLessThanOrEqual(capacityOf(limit));
  }
  expect(new Set(leases.map(({ slot }) => slot)).size, "S4: one lease a slot").toBe(leases.length);
  expect(new Set(leases.map(({ task }) => task)).size, "S4: one lease a task").toBe(leases.length);
  expect(state.totals.granted, "S6").toBe(leases.length + state.totals.released);
  if (state.stopReason !== "" || state.standing.kept.size > 0) return;
  for (const { bid: one } of state.standing.bids)
    expect(grantable(bench, one, sums), `${one.task} could be granted`).toBe(false);
}

/** Whether a bid could be granted, by counting everything anew. */
function grantable({ state, nowMs }: Bench, one: Bid, sums: ReadonlyMap<string, number>): boolean {
  const room = (limit: Limit | undefined, name: string, weight: number): boolean =>
    limit !== undefined && (sums.get(name) ?? 0) + weight <= limit.capacity;
  const named = new Map<string, number>([["global", 1]]);
  for (const [limit, weight] of one.weights) named.set(limit, (named.get(limit) ?? 0) + weight);
  for (const [name, weight] of named) if (!room(state.limits.get(name), name, weight)) return false;
  return one.pools.some((name) => {
    if (state.pools.get(name)?.paused || !room(state.limits.get(`pool:${name}`), `pool:${name}`, 1)) return false;
    return [...state.sessions.values()].some(({ record, deadlineMs }) => {
      if (record.lost || record.draining || nowMs >= deadlineMs || !record.pools.includes(name)) return false;
      if (one.runner !== "" && one.runner !== record.runner) return false;
      if (!Object.entries(one.labels).every(([key, value]) => record.labels[key] === value)) return false;
      return (sums.get(`runner:${record.runner}`) ?? 0) + 1 <= record.capacity;
    });
  });
}

const runners = fc.constantFrom("r0", "r1", "r2");
const tasks = fc.integer({ min: 0, max: 30 }).map((i) => `t${i}`);
const aBid: fc.Arbitrary<Bid> = fc
  .record({
    task: tasks,
    attempt: fc.integer({ min: 1, max: 3 }),
    rank: fc.integer({ min: 0, max: 4 }),
    pools: fc.constantFrom(["a"], ["b"], ["a", "b"]),
    weights: fc.constantFrom<Bid["weights"]>([], [["x", 1]], [["x", 3]], [["x", 2]]),
    labels: fc.constantFrom<Bid["labels"]>({}, {}, { gpu: "yes" }),
    runner: fc.constantFrom("", "", "", "r1"),
  })
  .map(({ task, ...more }) => bid(task, more));
const pickOne = (bench: Bench, i: number): Lease | undefined => bench.held()[i % Math.max(1, bench.held().length)];

const aStep: fc.Arbitrary<{ text: string; step: Step }> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(aBid, { minLength: 1, maxLength: 5 }).map((bids) => ({
      text: `bids ${JSON.stringify(bids.map(({ task, attempt, rank }) => [task, attempt, rank]))}`,
      step: (bench: Bench) => void bench.bids(...bids),
    })),
  },
  {
    weight: 1,
    arbitrary: aBid.map((one) => ({
      text: `place ${one.task}`,
      step: (bench: Bench) => void bench.do("placeBids", { bids: [one], known }),
    })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ runner: runners, again: fc.boolean(), gpu: fc.boolean(), capacity: fc.integer({ min: 1, max: 3 }) })
      .map(({ runner, again, gpu, capacity }) => ({
        text: `attach ${runner} again=${again}`,
        step: (bench: Bench, model: Model) => {
          const incarnation = (model.incarnations.get(runner) ?? 0) + (again ? 0 : 1);
          model.incarnations.set(runner, incarnation);
          bench.attach(runner, {
            capacity,
            incarnation: `${runner}-${incarnation}`,
            labels: gpu ? { gpu: "yes" } : {},
          });
        },
      })),
  },
  {
    weight: 4,
    arbitrary: fc.record({ runner: runners, have: fc.boolean() }).map(({ runner, have }) => ({
      text: `renew ${runner}`,
      step: (bench: Bench, model: Model) =>
        void bench.renew(runner, `${runner}-${model.incarnations.get(runner) ?? 0}`, have ? bench.held() : []),
    })),
  },
  {
    weight: 6,
    arbitrary: fc
      .record({
        i: fc.nat(20),
        result: fc.constantFrom<Outcome["result"]>("SUCCEEDED", "STOPPED", "NOT_STARTED"),
        stale: fc.constantFrom(0, 0, 0, 1),
      })
      .map(({ i, result, stale }) => ({
        text: `complete ${i} ${result} ${stale}`,
        step: (bench: Bench) => {
          const lease = pickOne(bench, i);
          if (lease) bench.complete(lease, { ...succeeded, result }, { token: lease.token - stale });
        },
      })),
  },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 10, max: 250 }).map((ms) => ({
      text: `tick ${ms}`,
      step: (bench: Bench) => {
        bench.nowMs += ms;
        bench.do("tick", {});
      },
    })),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 10, max: 400 }).map((ms) => ({
      text: `wait ${ms}`,
      step: (bench: Bench) => {
        bench.nowMs += ms;
      },
    })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ name: fc.constantFrom("global", "x", "pool:a"), capacity: fc.integer({ min: 0, max: 6 }) })
      .map(({ name, capacity }) => ({
        text: `limit ${name} ${capacity}`,
        step: (bench: Bench) => void bench.do("updateLimit", { name, patch: { capacity }, etag: "" }),
      })),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map((paused) => ({
      text: `paused ${paused}`,
      step: (bench: Bench) => void bench.do("updatePool", { name: "b", patch: { paused }, etag: "" }),
    })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ task: tasks, attempt: fc.integer({ min: 1, max: 3 }) }).map((ref) => ({
      text: `forbid ${ref.task}`,
      step: (bench: Bench) => void bench.do("forbid", { attempts: [ref], reason: "", known }),
    })),
  },
  {
    weight: 1,
    arbitrary: tasks.map((task) => ({
      text: `withdraw ${task}`,
      step: (bench: Bench) => void bench.do("withdraw", { attempts: [{ task, attempt: 1 }] }),
    })),
  },
  {
    weight: 1,
    arbitrary: runners.map((runner) => ({
      text: `detach ${runner}`,
      step: (bench: Bench, model: Model) =>
        void bench.do("detach", { runner, incarnation: `${runner}-${model.incarnations.get(runner) ?? 0}` }),
    })),
  },
);
const steps = fc.array(
  aStep.map((one) => ({ ...one, toString: () => one.text })),
  { minLength: 1, maxLength: 80 },
);

describe("properties", () => {
  it.each([1_000_000, 2])(
    "whatever happens, S1, S3 to S6 hold after every command, and no grantable bid is left standing (K = %s)",
    (overtakeLimit) => {
      fc.assert(
        fc.property(steps, (sequence) => {
          const bench = new Bench({ overtakeLimit, remembered: 1_000 }, { global: 4, a: 3, b: 3 });
          const model = new Model();
          for (const { step } of sequence) {
            const from = bench.changes.length;
            step(bench, model);
            check(bench, model, bench.changes.slice(from));
          }
        }),
        { numRuns: 400 },
      );
    },
  );

  it("replaying the changes gives the same state, also when some are applied twice", () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (sequence, twice) => {
        const bench = new Bench();
        const model = new Model();
        for (const { step } of sequence) step(bench, model);
        const again = new PoolCore(settings);
        again.load([]);
        for (const change of bench.changes) again.apply(JSON.parse(JSON.stringify(change)));
        if (twice) for (const change of bench.changes) again.apply(JSON.parse(JSON.stringify(change)));
        again.decide({ kind: "mark" }, { monoMs: 0, wallMs: 0 });
        const picture = ({ state }: PoolCore) => ({
          leases: [...state.ledger.leases.values()].map(({ lease }) => lease).sort((p, q) => p.token - q.token),
          counts: [...state.ledger.counts()].sort(),
          limits: [...state.limits.values()].sort((p, q) => (p.name < q.name ? -1 : 1)),
          pools: [...state.pools.values()],
          tombstones: [...state.tombstones],
          records: [...state.sessions.values()]
            .map(({ record }) => record)
            .sort((p, q) => (p.runner < q.runner ? -1 : 1)),
          meta: state.figures,
        });
        expect(JSON.parse(JSON.stringify(picture(again)))).toEqual(JSON.parse(JSON.stringify(picture(bench.core))));
      }),
      { numRuns: 200 },
    );
  });
});
