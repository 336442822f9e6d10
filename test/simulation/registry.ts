import type { Bid } from "@berth/pool-manager/internal/domain/bid";
import type { Lease } from "@berth/pool-manager/internal/domain/lease";
import type { LeaseEvent } from "@berth/pool-manager/internal/engine/lease-events";
import { type Host, Process } from "./host.js";
import type { Reply } from "./messages.js";
import type { Observer } from "./observer.js";
import type { TaskPlan } from "./plan.js";
import type { Post } from "./post.js";

/** More than a simulation makes ready. */
const sequencesMax = 2 ** 20;

/** What the scheduler gets of a task. */
export interface Ready {
  readonly bid: Bid;
}

interface Task {
  readonly plan: TaskPlan;
  attempt: number;
  /** Its place among those of its rank, and how often it was overtaken there; both kept by what spends no failure. */
  sequence: number;
  overtaken: number;
  state: "READY" | "ASSIGNED" | "STARTED" | "OVER";
  failuresLeft: number;
  /** Cancelled by somebody; the lease, if there is one, has to end first. */
  cancelling: boolean;
  forbidMs: number;
}

/** The registry: follows the journal by its cursor, makes the next attempt only after a release, cancels. What it knows is durable. */
export class Registry {
  readonly process: Process;
  readonly tasks = new Map<string, Task>();
  private readonly host: Host;
  private readonly post: Post;
  private readonly observer: Observer;
  private readonly pollMs: number;
  private cursor = 0;
  private version = 0;
  private sequences = 0;

  constructor(host: Host, post: Post, observer: Observer, pollMs: number) {
    this.host = host;
    this.post = post;
    this.observer = observer;
    this.pollMs = pollMs;
    this.process = new Process(host, "registry");
  }

  start(): void {
    this.post.ask("registry", { kind: "events", after: this.cursor });
    const nowMs = this.host.monoMs();
    for (const task of this.tasks.values()) {
      if (!task.cancelling || task.state === "OVER" || nowMs - task.forbidMs < this.pollMs * 4) continue;
      task.forbidMs = nowMs;
      this.post.ask("registry", { kind: "forbid", attempts: [{ task: task.plan.task, attempt: task.attempt }] });
    }
    this.process.after(this.pollMs, () => this.start());
  }

  submit(plan: TaskPlan): void {
    this.version++;
    this.tasks.set(plan.task, {
      plan,
      attempt: 1,
      sequence: ++this.sequences,
      overtaken: 0,
      state: "READY",
      failuresLeft: plan.failures,
      cancelling: false,
      forbidMs: Number.NEGATIVE_INFINITY,
    });
  }

  cancel(name: string): void {
    const task = this.tasks.get(name);
    if (!task || task.state === "OVER") return;
    this.host.world.trace(`cancel ${name}`);
    task.cancelling = true;
    this.version++;
  }

  /** Ready tasks, and those assigned that haven't begun as far as is known here. */
  snapshot(): { version: number; tasks: Ready[] } {
    const tasks = [...this.tasks.values()].filter(
      ({ state, cancelling }) => !cancelling && (state === "READY" || state === "ASSIGNED"),
    );
    return {
      version: ++this.version,
      tasks: tasks.map(({ plan, attempt, sequence, overtaken }) => {
        const rank = plan.bid.rank * sequencesMax + sequence;
        const readyMs = this.host.wallMs();
        return { bid: { ...plan.bid, task: plan.task, attempt, rank, overtaken, readyMs, traceParent: "" } };
      }),
    };
  }

  get unfinished(): string[] {
    return [...this.tasks.values()]
      .filter(({ state }) => state !== "OVER")
      .map(({ plan, state, attempt }) => `${plan.task} ${state} attempt ${attempt}`);
  }

  hear(reply: Reply): void {
    if (reply.kind === "events") {
      if (reply.after !== this.cursor) return;
      const { events, nextPosition } = reply.page;
      for (const event of events) this.apply(event);
      this.cursor = nextPosition;
      if (events.length > 0) this.post.ask("registry", { kind: "acknowledge", position: this.cursor });
    } else if (reply.kind === "forbidden") {
      reply.results.forEach(({ found }, i) => {
        const { task: name, attempt } = reply.attempts[i] ?? { task: "", attempt: 0 };
        const task = this.tasks.get(name);
        if (found !== "NO_LEASE" || task?.attempt !== attempt || task.state === "OVER") return;
        if (task.state === "STARTED") this.observer.report("S10", `${name} has begun, and its lease isn't known`);
        task.state = "OVER";
        this.version++;
      });
    }
  }

  private apply({ kind, lease }: LeaseEvent): void {
    const task = this.tasks.get(lease.task);
    if (!task || task.attempt !== lease.attempt || task.state === "OVER") {
      if (kind !== "LATE_RESULT")
        this.observer.report(
          "S8",
          `${kind} of attempt ${lease.attempt} of ${lease.task}, which is at attempt ${task?.attempt} (${task?.state})`,
        );
      return;
    }
    if (kind === "GRANTED") task.state = "ASSIGNED";
    else if (kind === "STARTED") task.state = "STARTED";
    else if (kind === "RELEASED") this.released(task, lease);
    this.version++;
  }

  private released(task: Task, lease: Lease): void {
    const { reason, outcome } = lease;
    const result = outcome?.result ?? "";
    if (task.cancelling || (reason === "COMPLETED" && (result === "SUCCEEDED" || task.failuresLeft === 0))) {
      task.state = "OVER";
      return;
    }
    if (reason === "COMPLETED") {
      task.failuresLeft--;
      task.sequence = ++this.sequences;
      task.overtaken = 0;
    } else {
      task.overtaken = lease.overtaken ?? 0;
      this.observer.goesBack(lease);
    }
    task.attempt++;
    task.state = "READY";
  }
}
