import fc from "fast-check";
import { expect, it } from "vitest";
import type { Actions, Command } from "./command.js";
import { coreFor, granted, ready } from "./fixtures.js";
import type { ReadyTask } from "./task.js";

const now = { monoMs: 0, wallMs: 0 };

it("FIFO holds exactly when things fail: whoever keeps the place goes before all that came later, with the overtakings it had", () => {
  const step = fc.constantFrom(
    "comes",
    "comes",
    "is granted",
    "is granted",
    "goes back",
    "fails",
    "is done",
    "stream breaks",
    "registry restarts",
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(step, fc.nat(20)), { maxLength: 80 }),
      fc.integer({ min: 1, max: 3 }),
      (steps, bidWindow) => {
        const core = coreFor({ bidWindow });
        const waiting = new Map<string, ReadyTask>();
        const running = new Map<string, ReadyTask>();
        const bids = new Map<string, Actions["bids"][number]>();
        let sequence = 0;
        const tell = (...commands: Command[]): void => {
          const { withdrawals, bids: placed } = core.decide(commands, now);
          const withdrawn = withdrawals.filter(({ task }) => bids.delete(task));
          for (const bid of placed) bids.set(bid.task.task, bid);
          // As the pool-manager: each withdrawal is answered.
          const results = withdrawn.map((ref) => ({ ...ref, verdict: "withdrawn" }) as const);
          if (results.length > 0) tell({ kind: "results", results });
        };
        const snapshot = (): void => {
          const tasks = [...waiting.values(), ...[...running.values()].map((task) => ({ ...task, assigned: true }))];
          tell({ kind: "registry-connected" }, { kind: "ready", tasks, gone: [], complete: true });
        };
        const becomesReady = (task: ReadyTask): void => {
          waiting.set(task.task, task);
          tell({ kind: "ready", tasks: [task], gone: [], complete: false });
        };
        tell({ kind: "registry-connected" }, { kind: "bids-connected" });
        for (const [what, which] of steps) {
          const one = [...running.values()][which % Math.max(1, running.size)];
          if (what === "comes") becomesReady(ready(++sequence, { overtaken: 0 }));
          else if (what === "stream breaks") {
            bids.clear();
            tell({ kind: "bids-lost" }, { kind: "bids-connected" });
          } else if (what === "registry restarts") snapshot();
          else if (what === "is granted") {
            const best = [...bids.values()].sort((a, b) => a.rank - b.rank)[0];
            const first = [...waiting.values()].sort((a, b) => a.sequence - b.sequence)[0];
            expect(best?.task.task).toBe(first?.task);
            if (!best || !first) continue;
            expect(best.task.overtaken).toBe(first.overtaken);
            bids.delete(first.task);
            waiting.delete(first.task);
            running.set(first.task, first);
            tell({ kind: "results", results: [granted(first)] });
          } else if (one) {
            running.delete(one.task);
            const attempt = one.attempt + 1;
            if (what === "goes back") becomesReady({ ...one, attempt, overtaken: one.overtaken + which });
            else if (what === "fails") becomesReady({ ...one, attempt, overtaken: 0, sequence: ++sequence });
            else tell({ kind: "ready", tasks: [], gone: [one.task], complete: false });
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
