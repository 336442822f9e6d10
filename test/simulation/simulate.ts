import type { LimitSpec } from "@berth/pool-manager/internal/domain/catalogue";
import type { Lease } from "@berth/pool-manager/internal/domain/lease";
import type { Bug } from "./bugs.js";
import { chaos } from "./chaos.js";
import { Disk } from "./disk.js";
import { Host } from "./host.js";
import type { Incidents } from "./incidents.js";
import { Manager } from "./manager.js";
import type { Ask, Reply } from "./messages.js";
import { Network } from "./network.js";
import { Observer, type Violation } from "./observer.js";
import { type Plan, planOf, type RunPlan } from "./plan.js";
import type { Post } from "./post.js";
import { Registry } from "./registry.js";
import { Runner } from "./runner.js";
import { Scheduler } from "./scheduler.js";
import { World } from "./world.js";

/** What came of one seed. */
export interface Result {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Hash of everything that happened: the same for the same seed. */
  readonly hash: string;
  readonly steps: number;
  readonly virtualMs: number;
  readonly figures: Observer["figures"];
  /** How often each fault happened. */
  readonly incidents: Incidents;
  /** The last lines of the trace. */
  readonly trace: readonly string[];
}

/** Bound on the time that everything needs to settle after the last fault, in TTLs. */
const settleTtls = 60;

/** Everything that is in one simulated world. */
export class Simulation implements Post {
  readonly plan: Plan;
  readonly world: World;
  readonly network: Network;
  readonly observer: Observer;
  readonly disk: Disk;
  readonly registry: Registry;
  readonly runners: Runner[];
  readonly schedulers: Scheduler[];
  /** Living processes of the pool-manager, the newest last. */
  managers: Manager[] = [];
  healed = false;
  private readonly bug: Bug | undefined;
  private readonly managerHosts: Host[];
  private readonly hosts: Host[] = [];
  private started = 0;

  constructor(plan: Plan, bug?: Bug) {
    this.plan = plan;
    this.bug = bug;
    this.world = new World(plan.seed);
    this.network = new Network(this.world, plan.faults);
    this.observer = new Observer(this.world, plan);
    this.disk = new Disk(this.world, plan.faults, (group, by) => {
      const state = this.managers.find(({ process }) => process.name === by)?.pool.core.state;
      this.observer.committed(group, by, state?.ledger.counts());
      if (state) this.observer.standing(state.standing.bids, by);
    });
    this.managerHosts = [this.host("pm-a"), this.host("pm-b")];
    this.registry = new Registry(this.host("registry"), this, this.observer, plan.settings.ttlMs / 8);
    this.runners = plan.runners.map(
      (runner) => new Runner(runner, this.host(runner.name), this, this.observer, plan, (lease) => this.runOf(lease)),
    );
    this.schedulers = Array.from(
      { length: plan.schedulers },
      (_, i) => new Scheduler(`s${i + 1}`, this.host(`s${i + 1}`), this, plan.settings.ttlMs / 6),
    );
  }

  /** Runs everything: faults, then none and quiescence. */
  async run(): Promise<Result> {
    const { plan, world, registry, observer } = this;
    this.startManager();
    registry.start();
    for (const runner of this.runners) runner.start();
    for (const scheduler of this.schedulers) scheduler.start();
    for (const task of plan.tasks) world.after(task.submitMs, () => registry.submit(task));
    chaos(this);
    try {
      await this.until(plan.chaosMs, () => false);
      this.heal();
      await this.until(world.nowMs + plan.settings.ttlMs * settleTtls, () => this.settled);
      if (!observer.first) this.judge();
    } catch (error) {
      observer.report("broken", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    for (const { process } of this.managers) process.kill();
    return {
      seed: plan.seed,
      violation: observer.first,
      hash: world.hash,
      steps: world.steps,
      virtualMs: world.nowMs,
      figures: observer.figures,
      incidents: world.incidents,
      trace: world.lines,
    };
  }

  /** A machine whose clock errs by as much as the seed allows, one way or the other. */
  private host(name: string): Host {
    const { drift } = this.plan.faults;
    const { random } = this.world;
    const host = new Host(
      this.world,
      name,
      1 + (random.chance(0.5) ? -1 : 1) * drift * random.upToBound(),
      random.between(-5_000, 5_000),
    );
    if (host.rate !== 1) this.world.incidents.add("clock fast or slow");
    this.hosts.push(host);
    return host;
  }

  stepSomeWallClock(): void {
    const { random } = this.world;
    random.pick(this.hosts).stepWall(random.pick([-3_600_000, -30_000, -500, 500, 30_000, 3_600_000]));
  }

  /** Starts a process of the pool-manager, which takes the leadership from any other. */
  startManager(): void {
    const host = this.managerHosts[this.started % 2] as Host;
    const name = `pm${++this.started}`;
    this.world.trace(`start ${name}`);
    const manager = new Manager(name, host, this.disk, this.plan, this, this.bug);
    this.managers.push(manager);
    manager.start();
  }

  /** The process is gone; its supervisor starts a fresh one unless another one is there. */
  endManager(manager: Manager): void {
    if (!manager.process.alive) return;
    this.world.trace(`end ${manager.process.name}`);
    manager.process.kill();
    this.managers = this.managers.filter((other) => other !== manager);
    this.world.after(this.world.random.between(10, this.plan.settings.ttlMs / 2), () => {
      if (this.managers.length === 0) this.startManager();
    });
  }

  failed(manager: Manager): void {
    // With a planted bug that answers without the engine, the process lives on a while.
    if (this.bug?.unanswered) return void this.world.after(this.plan.settings.ttlMs, () => this.endManager(manager));
    this.endManager(manager);
  }

  say(from: Manager, to: string, reply: Reply, sinceMs: number): void {
    if (sinceMs >= 0)
      this.observer.answered(from.process.name, from.pool.engine.epoch, sinceMs, `${reply.kind} to ${to}`);
    this.observer.said(to, reply);
    this.network.send("pm", to, reply.kind, () => this.deliver(to, reply));
  }

  private deliver(to: string, reply: Reply): void {
    if (to === "registry") return this.registry.process.enter(() => this.registry.hear(reply));
    const runner = this.runners.find(({ plan }) => plan.name === to);
    if (runner) return runner.process.enter(() => runner.hear(reply));
    const scheduler = this.schedulers.find(({ name }) => name === to);
    scheduler?.process.enter(() => scheduler.hear(reply));
  }

  ask(from: string, ask: Ask): void {
    this.network.send(from, "pm", ask.kind, () => {
      // Who doesn't know of a takeover yet still reaches the former leader.
      const { random } = this.world;
      const manager =
        this.managers.length > 1 && random.chance(0.3) ? random.pick(this.managers) : this.managers.at(-1);
      manager?.process.enter(() => manager.hear(from, ask));
    });
  }

  pull(from: string, take: Parameters<Post["pull"]>[1]): void {
    const process = this.schedulers.find(({ name }) => name === from)?.process;
    this.network.send(from, "registry", "pull", () => {
      const { version, tasks } = this.registry.snapshot();
      this.network.send("registry", from, "ready", () => process?.enter(() => take(version, tasks)));
    });
  }

  work(from: string, lease: Lease): void {
    const runner = this.runners.find(({ plan }) => plan.name === lease.runner);
    this.network.send(from, lease.runner, `work ${lease.id}`, () => runner?.process.enter(() => runner.work(lease)));
  }

  private runOf({ task, attempt }: Lease): RunPlan {
    const plan = this.plan.tasks.find((one) => one.task === task);
    return {
      ms: (plan?.runMs ?? 1) * this.world.random.between(0.5, 1.5),
      fails: attempt <= (plan?.failures ?? 0),
      handler: plan?.bid.handler ?? "",
    };
  }

  /** The last fault is over: everything works, and there is room for everybody. */
  private heal(): void {
    const { plan } = this;
    this.world.trace("heal");
    this.healed = true;
    this.network.heal();
    this.disk.heal();
    for (const manager of this.managers) manager.process.resume(true);
    if (this.managers.length === 0) this.startManager();
    for (const runner of this.runners) {
      runner.process.resume(true);
      runner.offer(runner.plan.handlers);
      runner.start();
    }
    const room = (): void => {
      for (const spec of [
        ...plan.limits,
        ...["tenant:t", "tenant:u"].map((name) => ({ ...plan.limits[1], name, capacity: 5 }) as LimitSpec),
      ])
        this.ask("admin", { kind: "setLimit", spec });
      for (const { name, maxConcurrency } of plan.pools)
        this.ask("admin", { kind: "setPool", name, patch: { maxConcurrency, paused: false } });
      // Who was asked to drain before has left by now.
      for (const runner of this.runners) runner.start();
      this.world.after(plan.settings.ttlMs, room);
    };
    room();
  }

  private get settled(): boolean {
    const { registry, observer, runners, plan } = this;
    return (
      this.managers.at(-1)?.ready === true &&
      registry.tasks.size === plan.tasks.length &&
      registry.unfinished.length === 0 &&
      observer.occupying.size === 0 &&
      observer.live.size === 0 &&
      runners.every(({ spool, inventory }) => spool.outcomes.size === 0 && inventory.length === 0)
    );
  }

  /** What must hold at the end. */
  private judge(): void {
    const { observer, registry, runners } = this;
    const state = this.managers.at(-1)?.pool.core.state;
    if (!state || !this.managers.at(-1)?.ready)
      return observer.report("L4", `nobody leads after ${settleTtls} TTLs without faults`);
    for (const lease of observer.occupying.values())
      observer.report(
        "L1",
        `${lease.id} (${lease.task}, ${lease.state}, ${lease.runner}) hasn't ended in ${settleTtls} TTLs without faults`,
      );
    for (const text of registry.unfinished)
      observer.report("L2", `${text} isn't over in ${settleTtls} TTLs without faults${this.why(text)}`);
    for (const { spool, plan } of runners) {
      for (const [id] of spool.outcomes)
        observer.report("S7", `the outcome of ${id} is still in the spool of ${plan.name}`);
    }
    observer.outcomesKept();
    observer.audit(state.ledger.counts(), "at the end");
    if (state.drift !== 0) observer.report("drift", `the auditor says ${state.drift}`);
    for (const { plan, inventory } of runners) {
      const ledger = [...state.ledger.ofRunner(plan.name)].length;
      if (ledger !== inventory.length)
        observer.report("L4", `${plan.name} holds ${inventory.length}, the ledger has ${ledger}`);
    }
  }

  /** What refuses a task that waits. */
  private why(text: string): string {
    const { core } = this.managers.at(-1)?.pool ?? {};
    const task = text.split(" ")[0];
    const bid = core && [...core.state.standing.bids].find((one) => one.bid.task === task)?.bid;
    if (!core || !bid) return ": no bid of it stands";
    const host = this.managers.at(-1)?.process.host;
    const { outcome } = core.decide(
      { kind: "checkAdmission", bid },
      { monoMs: host?.monoMs() ?? 0, wallMs: host?.wallMs() ?? 0 },
    );
    return ` (${bid.rank}): ${(outcome as { reason: string; limit: string; used: number; capacity: number }[]).map(({ reason, limit, used, capacity }) => `${reason} ${limit} ${used}/${capacity}`).join(", ")}`;
  }

  private async until(untilMs: number, done: () => boolean): Promise<void> {
    let looked = 0;
    while (this.world.step(untilMs)) {
      if (this.world.touched) await this.settle();
      if (this.observer.first) return;
      if (++looked % 50 === 0 && done()) return;
    }
    if (this.world.nowMs < untilMs) this.world.nowMs = untilMs;
  }

  /** Lets the engines decide and promises settle before time goes on. */
  private async settle(): Promise<void> {
    this.world.touched = false;
    for (let turns = 0; turns < 5; turns++) {
      await turn();
      if (
        !this.managers.some(
          ({ pool, store, process }) => process.alive && store.busy === 0 && pool.engine.figures.queued > 0,
        )
      )
        return;
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs one seed, with a planted bug if one is given. */
export function simulate(seed: number, bug?: Bug): Promise<Result> {
  return new Simulation(planOf(seed), bug).run();
}
