import { describe, expect, it } from "vitest";
import type { RetryFacts } from "./commands.js";
import { Bench, everything, exampleOutcome, exampleSubmission, exampleTask } from "./examples.js";
import { unmetText } from "./needs.js";
import type { SetRecord } from "./submission.js";

function kinds(bench: Bench, id: string): string[] {
  return bench.task(id).events.map(({ kind }) => kind);
}

function retryFacts(bench: Bench, counts: SetRecord["counts"] = {}): RetryFacts {
  return {
    drops: bench.core.memory.leavers.drops,
    rows: [...bench.rows.values()],
    sets: [{ set: "s", displayName: "", createMs: 1, counts, endMs: 1 }],
  };
}

describe("the life of a task", () => {
  it("goes from ready over assigned and running to succeeded, with a history that tells it", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    expect(bench.at("a")).toBe("READY/1");
    bench.event("granted", "a", 1);
    expect(bench.at("a")).toBe("ASSIGNED/1");
    bench.event("started", "a", 1);
    expect(bench.at("a")).toBe("RUNNING/1");
    bench.nowMs += 2_000;
    bench.event("released", "a", 1, { outcome: exampleOutcome("SUCCEEDED") });
    expect(bench.at("a")).toBe("SUCCEEDED/1");
    expect(kinds(bench, "a")).toEqual([
      "TaskCreated",
      "TaskReady",
      "TaskAssigned",
      "RunnerStarted",
      "RunnerCompleted",
      "TaskSucceeded",
    ]);
    expect(bench.task("a").events[4]).toMatchObject({ runner: "r1", slot: "r1/1", durationMs: 2_000 });
    expect(bench.core.memory.tasks.size).toBe(0);
    expect(bench.core.memory.sets.size).toBe(0);
  });

  it("tells of a start that only the outcome knows", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    bench.event("released", "a", 1, { outcome: exampleOutcome("SUCCEEDED", { startMs: 500, endMs: 700 }) });
    expect(kinds(bench, "a")).toContain("RunnerStarted");
    expect(bench.task("a").attempts[0]).toMatchObject({ startMs: 500, endMs: 700, releaseReason: "completed" });
  });

  it.each([
    ["a failure backs off", { outcome: exampleOutcome("FAILED") }, "BACKING_OFF/1"],
    ["a time-out backs off", { outcome: exampleOutcome("TIMED_OUT") }, "BACKING_OFF/1"],
    ["a permanent failure ends it", { outcome: exampleOutcome("FAILED", { permanent: true }) }, "FAILED/1"],
    [
      "a missing program ends it",
      { reason: "not_started", outcome: exampleOutcome("NOT_STARTED", { permanent: true }) },
      "FAILED/1",
    ],
    [
      "a run that never began is tried again",
      { reason: "not_started", outcome: exampleOutcome("NOT_STARTED") },
      "READY/2",
    ],
    ["a stopped run is tried again", { outcome: exampleOutcome("STOPPED") }, "READY/2"],
    ["an expired lease is tried again", { reason: "expired" }, "READY/2"],
    ["a lost runner is tried again", { reason: "runner_lost" }, "READY/2"],
    ["a revoked lease is tried again", { reason: "revoked" }, "READY/2"],
    ["success wins over a revocation", { reason: "revoked", outcome: exampleOutcome("SUCCEEDED") }, "SUCCEEDED/1"],
  ] as const)("%s", (_name, release, expected) => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    bench.event("granted", "a", 1);
    bench.event("released", "a", 1, release);
    expect(bench.at("a")).toBe(expected);
  });

  it("is retried after 10 s and 20 s, give or take 10 %, and fails for good at the third failure", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    for (const [attempt, plainMs] of [
      [1, 10_000],
      [2, 20_000],
    ] as const) {
      bench.run("a", attempt, "FAILED", { exitCode: 3 });
      const waitMs = bench.task("a").status.readyMs - bench.nowMs;
      expect(waitMs).toBeGreaterThanOrEqual(plainMs * 0.9);
      expect(waitMs).toBeLessThanOrEqual(plainMs * 1.1);
      bench.nowMs += waitMs - 1;
      bench.do({ kind: "tick" });
      expect(bench.at("a")).toBe(`BACKING_OFF/${attempt}`);
      bench.nowMs += 1;
      bench.do({ kind: "tick" });
      expect(bench.at("a")).toBe(`READY/${attempt + 1}`);
    }
    bench.run("a", 3, "FAILED", { exitCode: 3 });
    expect(bench.at("a")).toBe("FAILED/3");
    expect(bench.task("a").status.reason).toBe("exit code 3 (3 of 3 attempts failed)");
  });

  it("survives so many lost runners and no more, without spending its budget", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    for (const attempt of [1, 2, 3]) {
      bench.event("granted", "a", attempt);
      bench.event("released", "a", attempt, { reason: "expired" });
      bench.nowMs += 60_000;
      bench.do({ kind: "tick" });
    }
    expect(bench.at("a")).toBe("FAILED/3");
    expect(bench.task("a").status.failureCount).toBe(0);
  });
});

describe("dependencies", () => {
  it("are released once, by the last of what they need", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b"), exampleTask("c", ["a", "b"]));
    bench.run("a", 1, "SUCCEEDED");
    expect(bench.at("c")).toBe("PENDING/0");
    bench.run("b", 1, "SUCCEEDED");
    expect(bench.at("c")).toBe("READY/1");
  });

  it("are skipped all the way down, naming what failed", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b", ["a"]), exampleTask("c", ["b"]));
    bench.run("a", 1, "FAILED", { permanent: true });
    expect([bench.at("b"), bench.at("c")]).toEqual(["SKIPPED/0", "SKIPPED/0"]);
    expect(bench.task("c").status.reason).toBe("needs a, which failed");
  });

  it("are skipped in people's words, never in the API's", () => {
    const ends = ["SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"] as const;
    const said = (["succeeded", "failed"] as const).map((condition) =>
      ends.map((state) => unmetText("a", condition, state)),
    );
    expect(said).toEqual([
      [
        "needs a, which succeeded",
        "needs a, which failed",
        "needs a, which was cancelled",
        "needs a, which was skipped",
      ],
      [
        "needs a to fail, but it succeeded",
        "needs a to fail, but it failed",
        "needs a to fail, but it was cancelled",
        "needs a to fail, but it was skipped",
      ],
    ]);
  });

  it("on a task that was done before don't wait", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    bench.run("a", 1, "SUCCEEDED");
    bench.submit(exampleTask("b", ["a"]));
    expect(bench.at("b")).toBe("READY/1");
  });
});

describe("cancel", () => {
  it("ends what waits at once, and what depends on it is skipped or cancelled too", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b", ["a"]));
    bench.do({ kind: "cancel", filter: { ...everything, keys: ["s/b"] }, text: "changed my mind" });
    expect(bench.at("b")).toBe("CANCELLED/0");
  });

  it("of a whole set leaves no task SKIPPED that was cancelled itself", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b", ["a"]), exampleTask("c", ["b"]));
    expect(bench.do({ kind: "cancel", filter: { ...everything, set: "s" }, text: "" })).toMatchObject({ changed: 3 });
    expect([bench.at("a"), bench.at("b"), bench.at("c")]).toEqual(["CANCELLING/1", "CANCELLED/0", "CANCELLED/0"]);
  });

  it.each([
    ["no lease", "no_lease", "CANCELLED/1"],
    ["a lease that was over, asked twice", "released", "CANCELLED/1"],
  ] as const)("of a ready task ends when the pool-manager found %s", (_name, found, expected) => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    bench.do({ kind: "cancel", filter: { ...everything, set: "s" }, text: "" });
    expect(bench.at("a")).toBe("CANCELLING/1");
    expect([...bench.core.memory.forbids]).toEqual(["s/a"]);
    for (let asked = 0; asked < (found === "released" ? 2 : 1); asked++)
      bench.do({ kind: "forbidden", answers: [{ key: "s/a", attempt: 1, found, outcome: null }] });
    expect(bench.at("a")).toBe(expected);
  });

  it("of a running task waits for the release, and loses against a success", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b"));
    for (const id of ["a", "b"]) bench.event("granted", id, 1);
    bench.do({ kind: "cancel", filter: { ...everything, set: "s" }, text: "" });
    bench.do({
      kind: "forbidden",
      answers: ["a", "b"].map((id) => ({ key: `s/${id}`, attempt: 1, found: "revoking", outcome: null })),
    });
    expect(bench.core.memory.forbids.size).toBe(0);
    bench.event("released", "a", 1, { reason: "revoked", outcome: exampleOutcome("STOPPED") });
    bench.event("released", "b", 1, { outcome: exampleOutcome("SUCCEEDED") });
    expect([bench.at("a"), bench.at("b")]).toEqual(["CANCELLED/1", "SUCCEEDED/1"]);
  });
});

describe("a submission into a set that has ended", () => {
  it("isn't held up by what leaves other sets, but is read again when a task of its own left since", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    const early = bench.facts();
    bench.run("a", 1, "SUCCEEDED");
    const submit = (facts: ReturnType<Bench["facts"]>) =>
      bench.do({ kind: "submit", submission: exampleSubmission([exampleTask("b", ["a"])]), facts });
    expect(submit(early)).toEqual({ kind: "stale" });
    const facts = bench.facts();
    bench.core.memory.leavers.add("other/x", "other", "SUCCEEDED");
    expect(submit(facts)).toMatchObject({ kind: "submitted" });
  });
});

describe("moments to wait for", () => {
  it("don't pile up in memory for tasks that went on long before theirs came", () => {
    const bench = new Bench();
    bench.submit(exampleTask("late", [], { startTimeoutMs: 5_000 }));
    for (let i = 0; i < 2_000; i++) {
      bench.submit(exampleTask(`t${i}`, [], { startTimeoutMs: 86_400_000 }));
      bench.run(`t${i}`, 1, "SUCCEEDED");
    }
    expect(bench.core.memory.due.size).toBeLessThan(1_100);
    expect(bench.core.memory.due.nextMs).toBe(bench.nowMs + 5_000);
  });
});

describe("time-out from ready to start", () => {
  it("withdraws the attempt and then fails", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a", [], { startTimeoutMs: 5_000 }));
    bench.nowMs += 5_000;
    bench.do({ kind: "tick" });
    expect(bench.core.memory.forbids.size).toBe(1);
    bench.do({ kind: "forbidden", answers: [{ key: "s/a", attempt: 1, found: "no_lease", outcome: null }] });
    expect(bench.at("a")).toBe("FAILED/1");
    expect(bench.task("a").status.reason).toBe("not started within 5 s");
  });

  it("doesn't concern a task that began", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a", [], { startTimeoutMs: 5_000 }));
    bench.event("granted", "a", 1);
    bench.event("started", "a", 1);
    bench.nowMs += 60_000;
    bench.do({ kind: "tick" });
    expect(bench.at("a")).toBe("RUNNING/1");
  });
});

describe("retry", () => {
  it("begins anew with a fresh budget and growing attempts, and frees what was skipped", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b", ["a"]));
    bench.run("a", 1, "FAILED", { permanent: true });
    const outcome = bench.do({
      kind: "retry",
      filter: { ...everything, keys: ["s/a"] },
      facts: retryFacts(bench, { FAILED: 1, SKIPPED: 1 }),
    });
    expect(outcome).toMatchObject({ kind: "counted", changed: 2, unchanged: 0 });
    expect([bench.at("a"), bench.at("b")]).toEqual(["READY/2", "PENDING/0"]);
    expect(bench.task("a").status.failureCount).toBe(0);
    bench.run("a", 2, "SUCCEEDED");
    bench.run("b", 1, "SUCCEEDED");
    expect([bench.at("a"), bench.at("b")]).toEqual(["SUCCEEDED/2", "SUCCEEDED/1"]);
    expect(bench.core.memory.sets.size).toBe(0);
  });

  it("leaves a task whose need stays failed as it is", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b", ["a"]));
    bench.run("a", 1, "FAILED", { permanent: true });
    expect(
      bench.do({ kind: "retry", filter: { ...everything, keys: ["s/b"] }, facts: retryFacts(bench) }),
    ).toMatchObject({ changed: 0, unchanged: 1 });
    expect(bench.at("b")).toBe("SKIPPED/0");
  });

  it("isn't held up by tasks of other sets that end all the time, but sees one of its own that left since the reading", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"), exampleTask("b"));
    bench.run("a", 1, "FAILED", { permanent: true });
    const facts = retryFacts(bench);
    bench.core.memory.leavers.add("other/x", "other", "SUCCEEDED");
    const retry = () => bench.do({ kind: "retry", filter: { ...everything, set: "s" }, facts });
    bench.run("b", 1, "FAILED", { permanent: true });
    expect(retry()).toEqual({ kind: "stale" });
    bench.core.memory.leavers.add("other/y", "other", "SUCCEEDED");
    const again = retryFacts(bench);
    bench.core.memory.leavers.add("other/z", "other", "SUCCEEDED");
    expect(bench.do({ kind: "retry", filter: { ...everything, set: "s" }, facts: again })).toMatchObject({
      changed: 2,
    });
  });

  it("of a chain takes and leaves whole ends of it, whatever the order of the rows", () => {
    const bench = new Bench();
    const count = 4_000;
    bench.submit(
      exampleTask("t0"),
      ...Array.from({ length: count }, (_, i) => exampleTask(`t${i + 1}`, [`t${i}`])),
      ...Array.from({ length: count }, (_, i) => exampleTask(`w${i}`, ["t0"])),
    );
    bench.run("t0", 1, "FAILED", { permanent: true });
    const facts = { ...retryFacts(bench), rows: [...bench.rows.values()].reverse() };
    expect(bench.do({ kind: "retry", filter: { ...everything, set: "s", states: ["SKIPPED"] }, facts })).toMatchObject({
      changed: 0,
      unchanged: 2 * count,
    });
    expect(bench.do({ kind: "retry", filter: { ...everything, keys: ["s/t0"] }, facts })).toMatchObject({
      changed: 2 * count + 1,
    });
  });
});

describe("late results", () => {
  it("are kept, and taken only when accepted, after the successor is known to be over", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    bench.event("granted", "a", 1);
    bench.event("released", "a", 1, { reason: "expired" });
    bench.event("granted", "a", 2);
    bench.event("late_result", "a", 1, { lateOutcome: exampleOutcome("SUCCEEDED") });
    expect(bench.at("a")).toBe("ASSIGNED/2");
    expect(bench.do({ kind: "acceptLate", key: "s/a", attempt: 1, facts: { drops: 0, rows: [] } })).toEqual({
      kind: "done",
    });
    expect(bench.at("a")).toBe("CANCELLING/2");
    bench.event("released", "a", 2, { reason: "revoked", outcome: exampleOutcome("STOPPED") });
    expect(bench.at("a")).toBe("SUCCEEDED/2");
    expect(kinds(bench, "a")).toContain("LateResultAccepted");
  });

  it("of a final task are kept on its attempt and change nothing else", () => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    bench.event("released", "a", 1, { reason: "expired" });
    bench.run("a", 2, "SUCCEEDED");
    bench.event("late_result", "a", 1, { lateOutcome: exampleOutcome("FAILED") });
    expect(bench.at("a")).toBe("SUCCEEDED/2");
    expect(bench.task("a").attempts[0]?.lateOutcome?.result).toBe("FAILED");
    const facts = { drops: 0, rows: [...bench.rows.values()] };
    expect(bench.do({ kind: "acceptLate", key: "s/a", attempt: 1, facts })).toMatchObject({
      kind: "refused",
      reason: "WRONG_STATE",
    });
    expect(bench.core.memory.tasks.size).toBe(0);
  });
});

describe("a submission that is only to be checked", () => {
  const check = (bench: Bench, ...tasks: Parameters<typeof exampleTask>[]) =>
    bench.do({
      kind: "submit",
      submission: exampleSubmission(
        tasks.map((each) => exampleTask(...each)),
        { validateOnly: true, requestId: "id-1" },
      ),
      facts: bench.facts(),
    });

  it("is told what is wrong with it", () =>
    expect(check(new Bench(), ["a", [], { pool: "nope" }])).toMatchObject({ kind: "invalid", count: 1 }));

  it("takes nothing, not even the request id, and leaves needs and ids to the set", () => {
    const bench = new Bench();
    expect(check(bench, ["a", ["of-an-earlier-part"]])).toMatchObject({ kind: "submitted", taskCount: 0 });
    expect(bench.core.memory.tasks.size).toBe(0);
    expect(bench.core.memory.requests.size).toBe(0);
  });
});

describe("a submission with a request id", () => {
  it("is answered as before when repeated, and refused with other content", () => {
    const bench = new Bench();
    const submit = (digest: string) =>
      bench.do({
        kind: "submit",
        submission: exampleSubmission([exampleTask("a")], { requestId: "id-1", digest }),
        facts: bench.facts(),
      });
    expect(submit("x")).toMatchObject({ kind: "submitted", repeated: false });
    expect(submit("x")).toMatchObject({ kind: "submitted", repeated: true, set: "s", taskCount: 1 });
    expect(submit("y")).toMatchObject({ kind: "refused", reason: "REQUEST_ID_REUSED" });
  });
});
