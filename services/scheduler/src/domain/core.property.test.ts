import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Actions, BidResult, Command } from "./command.js";
import type { SchedulerCore } from "./core.js";
import { coreFor, granted, ready } from "./fixtures.js";
import { priorityPolicy } from "./policy.js";
import type { ReadyTask } from "./task.js";

const bidWindow = 2;
const classes = ["a", "b"];

/** The registry and the pool-manager by brute force around a scheduler, with answers on the way and connections that break. */
class World {
  core: SchedulerCore = coreFor({ bidWindow });
  readonly ready = new Map<string, ReadyTask>();
  readonly leases = new Set<string>();
  readonly handedOut = new Set<string>();
  private readonly standing = new Map<string, ReadyTask>();
  private answers: BidResult[] = [];
  private bidsUp = false;
  private submitted = 0;

  submit(priority: number, tenant: string): void {
    const task = ready(++this.submitted, { priority, tenant });
    this.ready.set(task.task, task);
    this.step({ kind: "ready", tasks: [task], gone: [], complete: false });
  }

  connectRegistry(): void {
    const tasks = [...this.ready.values()].map((task) => ({ ...task, assigned: this.leases.has(task.task) }));
    this.step({ kind: "registry-connected" }, { kind: "ready", tasks, gone: [], complete: true });
  }

  connectBids(): void {
    if (this.bidsUp) this.breakBids();
    this.bidsUp = true;
    this.step({ kind: "bids-connected" });
  }

  breakBids(): void {
    this.bidsUp = false;
    this.standing.clear();
    this.answers = [];
    this.step({ kind: "bids-lost" });
  }

  restart(): void {
    this.core = coreFor({ bidWindow });
    this.standing.clear();
    this.answers = [];
    this.bidsUp = false;
    this.connectRegistry();
    this.connectBids();
  }

  /** The pool-manager grants the best standing bid of a class. */
  grant(tenant: string): void {
    const best = [...this.standing.values()].filter((task) => task.tenant === tenant).sort(inTrial)[0];
    if (!best) return;
    const better = [...this.ready.values()].filter(
      (task) => task.tenant === tenant && !this.leases.has(task.task) && inTrial(task, best) < 0,
    );
    expect(better.map((task) => task.task)).toEqual([]);
    this.standing.delete(best.task);
    this.leases.add(best.task);
    this.answers.push(granted(best));
  }

  deliver(count: number): void {
    const results = this.answers.splice(0, count);
    if (results.length > 0) this.step({ kind: "results", results });
  }

  /** The oldest task that was handed out begins: the registry says gone. */
  begin(): void {
    const name = [...this.handedOut].find((task) => this.ready.has(task));
    if (!name) return;
    this.ready.delete(name);
    this.step({ kind: "ready", tasks: [], gone: [name], complete: false });
  }

  step(...commands: Command[]): void {
    const actions = this.core.decide(commands, { monoMs: 0, wallMs: 0 });
    this.carryOut(actions);
    for (const tenant of classes) {
      const standing = [...this.standing.values()].filter((task) => task.tenant === tenant).sort(inTrial);
      const waiting = [...this.ready.values()]
        .filter((task) => task.tenant === tenant && !this.leases.has(task.task))
        .sort(inTrial);
      expect(standing.length).toBeLessThanOrEqual(bidWindow);
      // Whoever stands goes before everybody who doesn't.
      expect(standing.map((task) => task.task)).toEqual(waiting.slice(0, standing.length).map((task) => task.task));
    }
  }

  private carryOut({ withdrawals, bids, work }: Actions): void {
    if (!this.bidsUp) expect([withdrawals, bids]).toEqual([[], []]);
    for (const { task, attempt } of withdrawals) {
      this.standing.delete(task);
      const lease = this.leases.has(task);
      this.answers.push(lease ? granted({ task, attempt }) : { task, attempt, verdict: "withdrawn" });
    }
    for (const { task } of bids) {
      if (this.leases.has(task.task)) this.answers.push(granted(task));
      else this.standing.set(task.task, task);
    }
    for (const { task } of work) this.handedOut.add(task.task);
  }
}

const ranking = priorityPolicy.begin();

function inTrial(a: ReadyTask, b: ReadyTask): number {
  return ranking.rank(a) - ranking.rank(b);
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("submit" as const),
      priority: fc.integer({ min: -1, max: 1 }),
      tenant: fc.constantFrom(...classes),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("grant" as const), tenant: fc.constantFrom(...classes) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("deliver" as const), count: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("begin" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "breakBids" as const,
        "connectBids" as const,
        "connectRegistry" as const,
        "restart" as const,
      ),
    }),
  },
);

describe("the scheduler's core, whatever breaks", () => {
  it("lets nobody be overtaken within a class, keeps to its windows, and hands out every task in the end", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const world = new World();
        world.connectRegistry();
        world.connectBids();
        for (let count = 0; count < 6; count++) world.submit(0, "a");
        for (const one of steps) {
          if (one.kind === "submit") world.submit(one.priority, one.tenant);
          else if (one.kind === "grant") world.grant(one.tenant);
          else if (one.kind === "deliver") world.deliver(one.count);
          else world[one.kind]();
        }
        const left = [...world.ready.keys()];
        world.connectRegistry();
        world.connectBids();
        for (let round = 0; round < 300; round++) {
          world.deliver(100);
          for (const tenant of classes) world.grant(tenant);
        }
        expect(left.filter((task) => !world.handedOut.has(task))).toEqual([]);
        expect(world.core.windows.standingBids).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
