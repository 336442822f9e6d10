import fc from "fast-check";
import { expect, it } from "vitest";
import { Bench, exampleOutcome, exampleSettings, exampleTask } from "./examples.js";
import type { LeaseEvent } from "./lease-event.js";
import { isFinal } from "./task.js";

/** Every way in which an attempt ends without success: what the release says, and whether a retry is spent. */
const endings: readonly { release: Partial<LeaseEvent>; spends: boolean; begun: boolean }[] = [
  { release: { outcome: exampleOutcome("FAILED") }, spends: true, begun: true },
  { release: { outcome: exampleOutcome("TIMED_OUT") }, spends: true, begun: true },
  { release: { outcome: exampleOutcome("STOPPED") }, spends: false, begun: true },
  { release: { outcome: exampleOutcome("NOT_STARTED") }, spends: false, begun: false },
  { release: { reason: "not_started" }, spends: false, begun: false },
  { release: { reason: "revoked" }, spends: false, begun: true },
  { release: { reason: "expired" }, spends: false, begun: true },
  { release: { reason: "runner_lost" }, spends: false, begun: true },
  { release: { reason: "completed" }, spends: false, begun: true },
];

const { retry, runnerLossLimit, noResultLimit } = exampleSettings;
/** What a task may go through at most, whatever ends its attempts. */
const attemptsMax = retry.maxAttempts * (noResultLimit + 1) + runnerLossLimit + 1;

/** Ends the attempt under way and lets the wait pass. Returns the wait, milliseconds. */
function end(bench: Bench, { release, begun }: (typeof endings)[number], overtaken: number): number {
  const { attempt } = bench.task("a").status;
  bench.event("granted", "a", attempt);
  if (begun) bench.event("started", "a", attempt);
  bench.event("released", "a", attempt, { ...release, overtaken });
  const { state, readyMs } = bench.task("a").status;
  if (state !== "BACKING_OFF") return 0;
  const waitMs = readyMs - bench.nowMs;
  bench.nowMs = readyMs;
  bench.do({ kind: "tick" });
  return waitMs;
}

it("an attempt that spends no retry keeps the task's order and its overtakings; one that spends one doesn't", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...endings), fc.nat(50)), { maxLength: 30 }), (sequence) => {
      const bench = new Bench();
      bench.submit(exampleTask("a"));
      for (const [ending, more] of sequence) {
        const before = bench.task("a").status;
        // Counting goes on from what the bid brought.
        const overtaken = before.overtaken + more;
        end(bench, ending, overtaken);
        const { status } = bench.task("a");
        if (isFinal(status.state)) return;
        expect(status.attempt).toBe(before.attempt + 1);
        if (ending.spends) expect(status.sequence).toBeGreaterThan(before.sequence);
        else expect(status.sequence).toBe(before.sequence);
        expect(status.overtaken).toBe(ending.spends ? 0 : overtaken);
      }
    }),
  );
});

it("however the attempts of a task end, their number is bounded, and the task then says why it failed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...endings), { minLength: attemptsMax, maxLength: attemptsMax }),
      (sequence) => {
        const bench = new Bench();
        bench.submit(exampleTask("a"));
        for (const ending of sequence) if (!isFinal(bench.task("a").status.state)) end(bench, ending, 0);
        const { status } = bench.task("a");
        expect(status.state).toBe("FAILED");
        expect(status.reason).toMatch(
          /of 3 attempts failed|lost with its runner 3 times|ended 6 times without a result/,
        );
      },
    ),
  );
});

it.each(endings.filter(({ spends }) => !spends))(
  "what ends again and again without a retry spent is paced: %j",
  (ending) => {
    const bench = new Bench();
    bench.submit(exampleTask("a"));
    const waits: number[] = [];
    while (!isFinal(bench.task("a").status.state) && waits.length <= attemptsMax) waits.push(end(bench, ending, 0));
    const paced = waits.slice(1, -1);
    expect(paced.length).toBeGreaterThan(0);
    expect(Math.min(...paced)).toBeGreaterThan(0);
    expect(paced).toEqual([...paced].sort((a, b) => a - b));
  },
);
