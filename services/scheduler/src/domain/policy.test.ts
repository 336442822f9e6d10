import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Actions, Command } from "./command.js";
import type { SchedulerCore } from "./core.js";
import { coreFor, fairPolicy, granted, ready } from "./fixtures.js";
import { inOrder } from "./look.js";
import { type Policy, policies, priorityPolicy, type Ranking } from "./policy.js";
import { byRank } from "./ranked-set.js";
import type { ReadyTask } from "./task.js";

const now = { monoMs: 0, wallMs: 0 };
const readied = (...tasks: ReadyTask[]): Command => ({ kind: "ready", tasks, gone: [], complete: false });

/** First come, first served, whatever the priority. */
const inTurn: Policy = {
  name: "in-turn",
  priorityFirst: false,
  begin: () => ({ rank: ({ sequence }) => sequence, granted: () => undefined, ended: () => undefined }),
};

/** What the rules must hold for: every policy there is, one that ignores the priority, one with a state. */
const each = [...Object.values(policies), inTurn, fairPolicy];

function connected(policy: Policy, bidWindow = 2): SchedulerCore {
  const core = coreFor({ policy, bidWindow });
  core.decide([{ kind: "registry-connected" }, { kind: "bids-connected" }], now);
  return core;
}

const task = fc.record({
  priority: fc.integer({ min: -2, max: 2 }),
  tenant: fc.constantFrom("a", "b"),
  handler: fc.constantFrom("", "resize"),
});

describe.each(each)("under policy $name", (policy) => {
  it("a reserve that refuses the first of a class refuses all of it", () => {
    fc.assert(
      fc.property(fc.array(task, { maxLength: 20 }), fc.integer({ min: -2, max: 2 }), (tasks, reservePriority) => {
        const core = connected(policy);
        core.decide([readied(...tasks.map((one, index) => ready(index + 1, one)))], now);
        const refused = new Set<unknown>();
        for (const { class: of, task: one } of [...core.entries.values()].sort(byRank)) {
          // The one rule by which a reserve looks at a task.
          if (one.priority < reservePriority) refused.add(of);
          else expect(refused.has(of)).toBe(false);
        }
      }),
    );
  });

  it("a window full of tasks that a reserve refuses keeps none out that it lets through", () => {
    const core = connected(policy);
    core.decide([readied(...[1, 2, 3].map((sequence) => ready(sequence)))], now);
    const { bids } = core.decide([readied(ready(9, { priority: 5 }))], now);
    expect(bids.map((bid) => bid.task.task)).toEqual(["s/t9"]);
  });

  it("repeats of what is known, in whatever order and number, leave every decision as it was", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("comes" as const), more: task }),
      fc.record({ kind: fc.constantFrom("is granted" as const, "begins" as const, "goes back" as const) }),
      fc.record({ kind: fc.constant("is named again" as const), order: fc.array(fc.nat(), { maxLength: 10 }) }),
      fc.record({ kind: fc.constant("snapshot" as const), order: fc.array(fc.nat(), { maxLength: 10 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const [plain, repeated] = [connected(policy), connected(policy)];
        const known = new Map<string, ReadyTask>();
        const both = (...commands: Command[]): Actions => {
          const decided = plain.decide(commands, now);
          expect(repeated.decide(commands, now)).toEqual(decided);
          expect(inOrder(repeated, 100).map(({ name }) => name)).toEqual(inOrder(plain, 100).map(({ name }) => name));
          return decided;
        };
        let sequence = 0;
        for (const one of steps) {
          const first = inOrder(plain, 100).find(({ phase }) => phase === "standing");
          const running = [...plain.entries.values()].find(({ phase }) => phase === "granted");
          if (one.kind === "comes") {
            const next = ready(++sequence, one.more);
            known.set(next.task, next);
            answer(both, both(readied(next)));
          } else if (one.kind === "is granted" && first)
            answer(
              both,
              both({ kind: "results", results: [granted({ task: first.name, attempt: first.task.attempt })] }),
            );
          else if (one.kind === "begins" && running) {
            known.delete(running.name);
            answer(both, both({ kind: "ready", tasks: [], gone: [running.name], complete: false }));
          } else if (one.kind === "goes back" && running) {
            const next = { ...running.task, attempt: running.task.attempt + 1 };
            known.set(next.task, next);
            answer(both, both(readied(next)));
          } else if (one.kind === "is named again" || one.kind === "snapshot") {
            const all = [...known.values()];
            const shuffled = one.order.flatMap((at) => all[at % Math.max(1, all.length)] ?? []);
            const snapshot = one.kind === "snapshot";
            const commands: Command[] = snapshot ? [{ kind: "registry-connected" }] : [];
            const tasks = snapshot ? [...shuffled, ...all] : shuffled;
            commands.push({ kind: "ready", tasks, gone: [], complete: snapshot });
            expect(repeated.decide(commands, now)).toEqual({ withdrawals: [], bids: [], work: [], refused: [] });
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

/** As the pool-manager: each withdrawal is answered. */
function answer(tell: (...commands: Command[]) => Actions, { withdrawals }: Actions): void {
  if (withdrawals.length === 0) return;
  answer(tell, tell({ kind: "results", results: withdrawals.map((ref) => ({ ...ref, verdict: "withdrawn" })) }));
}

it("a policy hears of each attempt in order: ranked, granted at most once, ended exactly once, with the inputs that were ranked", () => {
  const commands = fc.oneof(
    fc.record({
      kind: fc.constant("ready" as const),
      tasks: fc.array(
        fc
          .record({
            sequence: fc.integer({ min: 1, max: 4 }),
            attempt: fc.integer({ min: 1, max: 3 }),
            priority: fc.integer({ min: 0, max: 1 }),
            assigned: fc.boolean(),
          })
          .map(({ sequence, ...more }) => ready(sequence, more)),
        { maxLength: 3 },
      ),
      gone: fc.array(
        fc.integer({ min: 1, max: 4 }).map((n) => `s/t${n}`),
        { maxLength: 1 },
      ),
      complete: fc.boolean(),
    }),
    fc.record({
      kind: fc.constantFrom("registry-connected" as const, "bids-connected" as const, "bids-lost" as const),
    }),
    fc
      .record({
        n: fc.integer({ min: 1, max: 4 }),
        attempt: fc.integer({ min: 1, max: 3 }),
        verdict: fc.constantFrom("granted", "revoked", "lost"),
      })
      .map(({ n, attempt, verdict }): Command => {
        const ref = { task: `s/t${n}`, attempt };
        if (verdict === "lost") return { kind: "results", results: [{ ...ref, verdict, message: "" }] };
        return { kind: "results", results: [granted(ref, "r1", verdict === "granted")] };
      }),
  );
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 60 }), (all) => {
      const open = new Map<string, { inputs: string; granted: boolean }>();
      const inputs = (one: Parameters<Ranking["rank"]>[0]): string => `${one.attempt} ${one.priority} ${one.sequence}`;
      const ranking: Ranking = {
        rank: (one) => {
          expect(open.has(one.task)).toBe(false);
          open.set(one.task, { inputs: inputs(one), granted: false });
          return priorityPolicy.begin().rank(one);
        },
        granted: (one) => {
          expect(open.get(one.task)).toEqual({ inputs: inputs(one), granted: false });
          open.set(one.task, { inputs: inputs(one), granted: true });
        },
        ended: (one) => {
          expect(open.get(one.task)?.inputs).toBe(inputs(one));
          open.delete(one.task);
        },
      };
      const core = connected({ ...priorityPolicy, begin: () => ranking });
      for (const command of all) {
        core.decide([command], now);
        const held = new Map([...core.entries.values()].map(({ name, phase }) => [name, phase === "granted"]));
        expect(new Map([...open].map(([name, one]) => [name, one.granted]))).toEqual(held);
      }
    }),
    { numRuns: 500 },
  );
});
