import type { Lease } from "@berth/pool-manager/internal/domain/lease";
import type { Host } from "./host.js";
import type { Observer } from "./observer.js";
import type { Plan } from "./plan.js";

interface Workload {
  alive: boolean;
  dying: boolean;
}

/** The process groups of one machine, in true time, and the guard that outlives the runner's own troubles. */
export class Workloads {
  private readonly host: Host;
  private readonly observer: Observer;
  private readonly rules: Plan;
  private readonly alive = new Map<string, Workload>();
  private deadlineMs = Number.NEGATIVE_INFINITY;

  constructor(host: Host, observer: Observer, rules: Plan) {
    this.host = host;
    this.observer = observer;
    this.rules = rules;
  }

  get count(): number {
    return this.alive.size;
  }

  /** A process begins and, unless it is killed, ends by itself. */
  run(lease: Lease, ms: number, ended: () => void): void {
    const workload: Workload = { alive: true, dying: false };
    this.alive.set(lease.id, workload);
    this.observer.runStarts(lease);
    this.host.world.after(ms, () => {
      if (this.end(lease.id, workload, "ended")) ended();
    });
  }

  /** SIGTERM, grace, SIGKILL. */
  stop(lease: string, stopped: () => void): void {
    const workload = this.alive.get(lease);
    if (!workload) return;
    this.host.world.after(this.host.world.random.between(0, 2 * this.rules.killMs), () => {
      if (this.end(lease, workload, "stopped")) stopped();
    });
  }

  /** SIGKILL to all, which takes up to the kill time. */
  killAll(how: string): void {
    for (const [lease, workload] of this.alive) {
      if (workload.dying) continue;
      workload.dying = true;
      const { random } = this.host.world;
      this.host.world.after((random.upToBound() * this.rules.killMs * 0.999) / this.host.rate, () =>
        this.end(lease, workload, how),
      );
    }
  }

  /** The guard: when this deadline of its machine's clock has passed and no later one was set, it kills; late by the lateness of a timer at most. */
  guardUntil(deadlineMs: number): void {
    this.deadlineMs = deadlineMs;
    const { world, rate } = this.host;
    const lateMs = world.random.upToBound() * this.rules.latenessMs * 0.999;
    world.after((deadlineMs - this.host.monoMs()) / rate + lateMs, () => {
      if (this.deadlineMs === deadlineMs) this.killAll("killed");
    });
  }

  private end(lease: string, workload: Workload, how: string): boolean {
    if (!workload.alive) return false;
    workload.alive = false;
    this.alive.delete(lease);
    this.observer.runEnds(lease, how);
    return true;
  }
}
