import { runner } from "@berth/contracts";
import { expect, test } from "vitest";
import { inMessages, Leases } from "./leases.js";

const work = (lease: string, token: bigint, slot = `slot-${lease}`): runner.Work =>
  runner.Work.fromPartial({ lease, token, slot });
const completion = (lease: string, token = 1n, message = ""): runner.Completion =>
  runner.Completion.fromPartial({ lease, token, outcome: { result: runner.Outcome_Result.FAILED, message } });
const revocation = (lease: string, token = 1n): runner.Revocation => ({ lease, token, reason: "" });
const applied = (lease: string): runner.CompletionResult => ({
  lease,
  verdict: runner.CompletionResult_Verdict.APPLIED,
});
const { RECEIVED, RUNNING, ENDED } = runner.LeaseReport_State;

test("work is taken once; a slot takes only newer tokens", () => {
  const leases = new Leases();
  expect(leases.receive(work("a", 5n, "s"))).toBe(true);
  expect(leases.receive(work("a", 5n, "s"))).toBe(false);
  expect(leases.receive(work("older", 4n, "s"))).toBe(false);
  expect(leases.receive(work("newer", 6n, "s"))).toBe(true);
});

test("a lease is forgotten when its outcome is confirmed, and its work isn't taken again", () => {
  const leases = new Leases();
  leases.receive(work("a", 1n));
  expect(leases.confirm([applied("a")])).toEqual([]);
  leases.end(completion("a"));
  expect(leases.confirm([applied("a"), applied("unknown")])).toEqual(["a"]);
  expect(leases.count).toBe(0);
  expect(leases.receive(work("a", 9n))).toBe(false);
});

test("a revocation stops what runs, resends what ended, refuses what never came, ignores what is confirmed or another token's", () => {
  const leases = new Leases();
  leases.receive(work("running", 1n));
  leases.receive(work("ended", 1n));
  leases.end(completion("ended"));
  leases.receive(work("confirmed", 1n));
  leases.end(completion("confirmed"));
  leases.confirm([applied("confirmed")]);
  const { stop, send } = leases.revoke(["running", "ended", "confirmed", "unknown"].map((lease) => revocation(lease)));
  expect(stop.map(({ lease }) => lease)).toEqual(["running"]);
  expect(send.map(({ lease, outcome }) => [lease, outcome?.result])).toEqual([
    ["ended", runner.Outcome_Result.FAILED],
    ["unknown", runner.Outcome_Result.NOT_STARTED],
  ]);
  expect(leases.receive(work("unknown", 1n))).toBe(false);
  expect(leases.refusals(10).map(({ lease }) => lease)).toEqual(["unknown"]);
  expect(leases.revoke([revocation("running", 2n)])).toEqual({ stop: [], send: [] });
});

test("a promise never to start is repeated until it is answered, and kept after that", () => {
  const leases = new Leases();
  leases.revoke([revocation("never", 1n), revocation("neither", 2n)]);
  expect(leases.refusals(10).map(({ lease }) => lease)).toEqual(["never", "neither"]);
  leases.confirm([applied("never")]);
  expect(leases.refusals(10).map(({ lease }) => lease)).toEqual(["neither"]);
  expect(leases.receive(work("never", 1n))).toBe(false);
  leases.newSession();
  expect(leases.refusals(10)).toEqual([]);
});

test("the inventory leaves out outcomes whose answer is on the way, until they are late or the stream breaks", () => {
  const leases = new Leases();
  for (const lease of ["a", "b", "c"]) leases.receive(work(lease, 1n));
  leases.begin("b", 0, 0);
  leases.end(completion("c"));
  leases.sent([completion("c")], 100);
  const states = (nowMs: number): unknown[] =>
    leases.inventory(nowMs, 50, 1e6).map(({ lease, state }) => [lease, state]);
  expect(states(149)).toEqual([
    ["a", RECEIVED],
    ["b", RUNNING],
  ]);
  expect(states(150)).toEqual([
    ["a", RECEIVED],
    ["b", RUNNING],
    ["c", ENDED],
  ]);
  expect(states(160)).toHaveLength(2);
  leases.streamBroke();
  expect(leases.unsent().map(({ lease }) => lease)).toEqual(["c"]);
  expect(states(161)).toHaveLength(3);
});

test("the inventory is bounded in bytes; what doesn't fit is sent as completions", () => {
  const leases = new Leases();
  for (const lease of ["a", "b", "c"]) leases.end(completion(lease, 1n, "x".repeat(300)));
  expect(leases.inventory(0, 0, 2_500).map(({ lease }) => lease)).toEqual(["a", "b"]);
  expect(leases.unsent().map(({ lease }) => lease)).toEqual(["c"]);
});

test("a run is reported as begun once, if it lives long enough", () => {
  const leases = new Leases();
  for (const lease of ["short", "long", "late"]) leases.receive(work(lease, 1n));
  leases.begin("short", 0, 1_000);
  leases.begin("long", 10, 1_010);
  leases.begin("late", 90, 1_090);
  leases.end(completion("short"));
  expect(leases.startsDue(50)).toEqual([{ lease: "long", token: 1n, startTime: new Date(1_010) }]);
  expect(leases.hasYoung).toBe(true);
  expect(leases.startsDue(95).map(({ lease }) => lease)).toEqual(["late"]);
  expect(leases.hasYoung).toBe(false);
});

test("messages are cut by count and by size, in order", () => {
  const many = Array.from({ length: 7 }, (_, index) =>
    completion(`l${index}`, 1n, index === 5 ? "x".repeat(5_000) : ""),
  );
  expect(inMessages(many, 3, 10_000).map((message) => message.length)).toEqual([3, 2, 1, 1]);
});
