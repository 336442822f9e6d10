import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TaskChange } from "./commands.js";
import { RegistryCore } from "./core.js";
import { Bench, everything, exampleOutcome, exampleSettings, exampleTask } from "./examples.js";
import { isFinal, type RunOutcome, type TaskSnapshot } from "./task.js";

const results: RunOutcome["result"][] = ["SUCCEEDED", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "NOT_STARTED"];
const step = fc.record({
  kind: fc.constantFrom(
    "granted",
    "started",
    "released",
    "released",
    "expired",
    "lost",
    "late_result",
    "cancel",
    "forbidden",
    "tick",
    "repeat",
    "accept",
  ),
  task: fc.nat(7),
  attempt: fc.integer({ min: 0, max: 2 }),
  result: fc.constantFrom(...results),
  permanent: fc.boolean(),
});
type Step = { kind: string; task: number; attempt: number; result: RunOutcome["result"]; permanent: boolean };
/** Needs only point backwards, so there is no cycle. */
const graph = fc.array(fc.uniqueArray(fc.nat(6), { maxLength: 3 }), { minLength: 1, maxLength: 8 });

function drive(bench: Bench, { kind, task, attempt, result, permanent }: Step, count: number): void {
  const id = `t${task % count}`;
  const { status } = bench.task(id);
  const number = Math.max(1, status.attempt - attempt);
  const outcome = exampleOutcome(result, { permanent });
  switch (kind) {
    case "released":
      return void bench.event("released", id, number, { outcome });
    case "lost":
      return void bench.event("released", id, number, { reason: "expired" });
    case "late_result":
      return void bench.event("late_result", id, number, { lateOutcome: outcome });
    case "cancel":
      return void bench.do({ kind: "cancel", filter: { ...everything, keys: [`s/${id}`] }, text: "" });
    case "accept":
      return void bench.do({
        kind: "acceptLate",
        key: `s/${id}`,
        attempt: number,
        facts: { drops: 0, rows: [...bench.rows.values()] },
      });
    case "forbidden":
      return void bench.do({
        kind: "forbidden",
        answers: [{ key: `s/${id}`, attempt: number, found: attempt === 0 ? "no_lease" : "revoking", outcome: null }],
      });
    case "tick":
      bench.nowMs += 40_000;
      return void bench.do({ kind: "tick" });
    case "repeat":
      return void bench.event("released", id, number, { position: 1, outcome });
    default:
      return void bench.event(kind as "granted", id, number);
  }
}

function plain({ header, status, attempts, events }: TaskSnapshot): unknown {
  return JSON.parse(JSON.stringify({ header, status, attempts, events }));
}

describe("whatever happens to whatever graph (S8)", () => {
  it("final states stay, attempts grow by one, dependents are released once and only after all they need", () => {
    fc.assert(
      fc.property(graph, fc.array(step, { maxLength: 80 }), (needs, steps) => {
        const bench = new Bench();
        bench.submit(
          ...needs.map((ids, index) =>
            exampleTask(
              `t${index}`,
              ids.filter((need) => need < index).map((need) => `t${need}`),
            ),
          ),
        );
        for (const one of steps) drive(bench, one, needs.length);
        const last = new Map<string, TaskChange["status"]>();
        const released = new Set<string>();
        for (const change of bench.changes) {
          if (change.kind !== "task") continue;
          const before = last.get(change.key);
          if (before) {
            expect(change.status.revision).toBeGreaterThan(before.revision);
            expect([0, 1]).toContain(change.status.attempt - before.attempt);
            if (isFinal(before.state)) expect(change.status.state).toBe(before.state);
          }
          if (change.status.state === "READY" && (before?.attempt ?? 0) === 0) {
            expect(released.has(change.key)).toBe(false);
            released.add(change.key);
            for (const need of change.subject?.header.needs ?? [])
              expect(last.get(`s/${need}`)?.state).toBe("SUCCEEDED");
          }
          last.set(change.key, change.status);
        }
        for (const [index] of needs.entries()) {
          const { attempts, events, status } = bench.task(`t${index}`);
          expect(attempts.map(({ attempt }) => attempt)).toEqual(attempts.map((_, at) => at + 1));
          expect(events.map(({ number }) => number)).toEqual(events.map((_, at) => at + 1));
          expect(bench.core.memory.tasks.has(`s/t${index}`)).toBe(!isFinal(status.state));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("replaying the changes, even twice over, onto the rows gives the same state and the same indexes", () => {
    fc.assert(
      fc.property(graph, fc.array(step, { maxLength: 60 }), (needs, steps) => {
        const bench = new Bench();
        bench.submit(
          ...needs.map((ids, index) =>
            exampleTask(
              `t${index}`,
              ids.filter((need) => need < index).map((need) => `t${need}`),
            ),
          ),
        );
        const rows = structuredClone([...bench.rows.values()]);
        for (const one of steps) drive(bench, one, needs.length);
        const fresh = new RegistryCore(exampleSettings);
        // Rows of tasks that ended since are final in a real store, and aren't loaded.
        const live = rows.filter(({ header }) => bench.core.memory.tasks.has(header.key));
        fresh.load(live.map((task) => ({ kind: "task", task, spec: undefined })));
        for (let round = 0; round < 2; round++) for (const change of bench.changes) fresh.apply(change);
        fresh.finishLoading();
        expect([...fresh.memory.tasks.values()].map(plain)).toEqual([...bench.core.memory.tasks.values()].map(plain));
        expect(fresh.memory.due.nextMs).toBe(bench.core.memory.due.nextMs);
        expect([...fresh.memory.forbids].sort()).toEqual([...bench.core.memory.forbids].sort());
        for (const [key, task] of bench.core.memory.tasks)
          expect([...(fresh.memory.tasks.get(key)?.waits ?? [])]).toEqual([...task.waits]);
      }),
      { numRuns: 200 },
    );
  });
});
