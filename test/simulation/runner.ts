import type { Lease, Outcome } from "@berth/pool-manager/internal/domain/lease";
import type { Report, Revocation } from "@berth/pool-manager/internal/domain/sessions";
import { renewIntervalMs } from "@berth/pool-manager/internal/domain/time";
import { type Host, Process } from "./host.js";
import type { ProvedCompletion, Reply, ToldLease } from "./messages.js";
import type { Observer } from "./observer.js";
import type { Plan, RunnerPlan, RunPlan } from "./plan.js";
import type { Post } from "./post.js";
import { withProof } from "./proof.js";
import { Workloads } from "./workloads.js";

interface Held {
  readonly lease: Pick<ToldLease, "id" | "token" | "secret">;
  state: "RECEIVED" | "RUNNING" | "ENDED";
  /** Set when it is in the spool. */
  outcome?: Outcome;
  /** Writes it there at once. */
  flush?: () => void;
  stopping: boolean;
}

/** What a runner's disk keeps through a crash. */
interface Spool {
  readonly outcomes: Map<string, { readonly token: number; readonly outcome: Outcome }>;
  incarnations: number;
}

/**
 * A runner that keeps to the protocol: attaches, renews with its inventory, lets nothing begin or live past its deadline, spools before it
 * says anything, repeats until it is confirmed, and begins a new incarnation when its deadline has passed or it is refused.
 */
export class Runner {
  readonly plan: RunnerPlan;
  readonly host: Host;
  readonly workloads: Workloads;
  readonly spool: Spool = { outcomes: new Map(), incarnations: 0 };
  process: Process;
  private readonly post: Post;
  private readonly observer: Observer;
  private readonly rules: Plan;
  private readonly runMs: (lease: Lease) => RunPlan;
  private handlers: readonly string[];
  /** Handlers that the pool-manager has answered to; undefined if it seems to believe something else. */
  private heardOf: readonly string[] | undefined;
  private readonly saying = new Map<number, readonly string[]>();
  private held = new Map<string, Held>();
  /** Promised never to start; true while the promise isn't known to have arrived. */
  private refused = new Map<string, { token: number; unsaid: boolean }>();
  private finished = new Set<string>();
  private slotTokens = new Map<string, number>();
  private sent = new Map<number, number>();
  private incarnation = "";
  private attached = false;
  private ending = false;
  private draining = false;
  private detaching = false;
  private deadlineMs: number | undefined;
  private calls = 0;

  constructor(
    plan: RunnerPlan,
    host: Host,
    post: Post,
    observer: Observer,
    rules: Plan,
    runMs: (lease: Lease) => RunPlan,
  ) {
    this.plan = plan;
    this.handlers = plan.handlers;
    this.host = host;
    this.post = post;
    this.observer = observer;
    this.rules = rules;
    this.runMs = runMs;
    this.process = new Process(host, plan.name);
    this.process.kill();
    this.workloads = new Workloads(host, observer, rules);
  }

  /** What it holds, for comparison with the ledger. */
  get inventory(): string[] {
    return [...this.held.keys()];
  }

  /** Starts a process; its first act is to make sure that everything of earlier ones is dead. */
  start(): void {
    if (this.process.alive) return;
    this.process = new Process(this.host, this.plan.name);
    // A process knows nothing of the session of the one before, least of all its deadline: until it begins, no work is for it.
    this.incarnation = "";
    this.deadlineMs = undefined;
    this.draining = false;
    this.workloads.killAll("killed");
    const begin = (): void => {
      if (this.workloads.count > 0) return void this.process.after(5, begin);
      this.begin();
    };
    this.process.after(1, begin);
  }

  /** kill -9: the guard sees its pipe close. */
  crash(): void {
    if (!this.process.alive) return;
    this.host.world.trace(`crash ${this.plan.name}`);
    this.process.kill();
    this.workloads.killAll("killed");
  }

  /** Finishes what it has, detaches, and ends. */
  drain(): void {
    this.draining = true;
  }

  /** Its program has other handlers from now on; a process that lives says so with its next message. */
  offer(handlers: readonly string[]): void {
    this.handlers = handlers;
  }

  private begin(): void {
    this.incarnation = `${this.plan.name}-${++this.spool.incarnations}`;
    this.host.world.trace(`begin ${this.incarnation}`);
    this.held = new Map();
    for (const [id, { token, outcome }] of this.spool.outcomes)
      this.held.set(id, { lease: { id, token }, state: "ENDED", outcome, stopping: false });
    this.refused = new Map();
    this.finished = new Set();
    this.sent = new Map();
    this.attached = false;
    this.ending = false;
    this.detaching = false;
    this.deadlineMs = undefined;
    this.attach();
  }

  private attach(): void {
    const { name, pools, capacity, labels } = this.plan;
    this.attached = false;
    const number = ++this.calls;
    this.sent.set(number, this.host.monoMs());
    this.saying.set(number, this.handlers);
    const { incarnation, handlers } = this;
    const startNumber = this.spool.incarnations;
    const attach = {
      runner: name,
      incarnation,
      pools,
      capacity,
      labels,
      handlers,
      earlierProcessesDead: true,
      inventory: this.reports(),
      startNumber,
    };
    this.post.ask(name, { kind: "attach", number, attach });
    this.process.after(renewIntervalMs(this.rules.runnerTtlMs), () => {
      if (this.attached || this.incarnation !== incarnation || this.ending) return;
      if (this.passed()) return this.end("deadline");
      this.attach();
    });
  }

  private renew(): void {
    if (this.ending || !this.attached) return;
    if (this.passed()) return this.end("deadline");
    const { name } = this.plan;
    const { incarnation } = this;
    if (this.heardOf !== this.handlers) return this.attach();
    if (this.sent.size >= 3) {
      this.sent.clear();
      return this.attach();
    }
    const number = ++this.calls;
    this.sent.set(number, this.host.monoMs());
    const refused = [...this.refused]
      .filter(([, { unsaid }]) => unsaid)
      .map(([lease, { token }]) => ({ lease, token }));
    this.post.ask(name, {
      kind: "renew",
      number,
      renew: { runner: name, incarnation, inventory: this.reports(), draining: this.draining, refused },
    });
    if (this.draining && this.held.size === 0) this.detach();
    this.armRenewal();
  }

  private armRenewal(): void {
    const { incarnation } = this;
    this.process.after(renewIntervalMs(this.rules.runnerTtlMs), () => {
      if (this.incarnation === incarnation) this.renew();
    });
  }

  private detach(): void {
    this.detaching = true;
    this.post.ask(this.plan.name, { kind: "detach", runner: this.plan.name, incarnation: this.incarnation });
  }

  private passed(): boolean {
    return this.deadlineMs !== undefined && !(this.host.monoMs() < this.deadlineMs);
  }

  private answered(number: number, incarnation: string): void {
    const sentMs = this.sent.get(number);
    if (sentMs === undefined || incarnation !== this.incarnation || this.ending) return;
    this.sent.delete(number);
    for (const earlier of this.sent.keys()) if (earlier < number) this.sent.delete(earlier);
    // After a pause the guard may have killed already: what has passed is never moved on.
    if (this.passed()) return this.end("deadline");
    const deadlineMs = sentMs + this.rules.runnerTtlMs;
    if (this.deadlineMs !== undefined && deadlineMs <= this.deadlineMs) return;
    this.deadlineMs = deadlineMs;
    this.workloads.guardUntil(deadlineMs);
    const { random } = this.host.world;
    this.process.after(deadlineMs - this.host.monoMs() - (random.chance(0.5) ? random.between(0, 20) : 0), () => {
      if (this.incarnation === incarnation && this.deadlineMs === deadlineMs && !this.ending) this.end("deadline");
    });
  }

  /** The session is over: everything is killed and spooled, then a new incarnation begins. */
  private end(why: string): void {
    if (this.ending) return;
    this.host.world.trace(`end ${this.incarnation} ${why}`);
    this.ending = true;
    this.workloads.killAll("killed");
    const finish = (): void => {
      if (this.workloads.count > 0) return void this.process.after(2, finish);
      for (const held of this.held.values()) {
        if (held.state === "RUNNING") this.keep(held, this.outcome("FAILED", "the session ended"));
        held.flush?.();
      }
      this.begin();
    };
    this.process.after(1, finish);
  }

  hear(reply: Reply): void {
    switch (reply.kind) {
      case "attached":
      case "renewed": {
        if (reply.incarnation !== this.incarnation || this.ending) return;
        const { answer } = reply;
        if ("refused" in answer) return this.end(answer.refused);
        this.heardOf = this.saying.get(reply.number) ?? this.heardOf;
        this.saying.delete(reply.number);
        this.answered(reply.number, reply.incarnation);
        this.confirm(answer.results);
        this.revoke(answer.revocations);
        if (this.attached || this.ending || reply.kind !== "attached") return;
        this.attached = true;
        this.armRenewal();
        return;
      }
      case "completed":
        if (reply.incarnation === this.incarnation) this.confirm(reply.results);
        return;
      case "revoke":
        if (reply.incarnation === this.incarnation && !this.ending) this.revoke(reply.revocations);
        return;
      case "detached":
        if (reply.incarnation === this.incarnation && this.detaching && !reply.refused) this.leave();
        return;
      default:
        return;
    }
  }

  private leave(): void {
    this.host.world.trace(`left ${this.incarnation}`);
    this.process.kill();
  }

  /** Work from the scheduler: dropped if it isn't for this process, is held, was refused, or isn't newer than the newest of its slot. */
  work(lease: ToldLease): void {
    if (lease.incarnation !== this.incarnation || this.ending || this.detaching) return;
    if (this.held.has(lease.id) || this.refused.has(lease.id) || this.finished.has(lease.id)) return;
    if (lease.token <= (this.slotTokens.get(lease.slot) ?? 0)) return;
    this.slotTokens.set(lease.slot, lease.token);
    const held: Held = { lease, state: "RECEIVED", stopping: false };
    this.held.set(lease.id, held);
    const { random } = this.host.world;
    const { incarnation } = this;
    this.process.after(random.chance(0.1) ? random.spread(this.rules.settings.ttlMs / 2) : random.between(0, 3), () => {
      if (this.incarnation === incarnation && held.state === "RECEIVED" && !this.ending) this.run(lease, held);
    });
  }

  private run(lease: Lease, held: Held): void {
    if (this.deadlineMs === undefined || this.passed())
      return this.keep(held, this.outcome("NOT_STARTED", "the deadline has passed"));
    const { ms, fails, handler } = this.runMs(lease);
    if (handler !== "" && !this.handlers.includes(handler)) {
      this.host.world.incidents.add("handler missing");
      // The pool-manager believes something old: it is told anew.
      this.heardOf = undefined;
      return this.keep(held, this.outcome("NOT_STARTED", "no such handler"));
    }
    held.state = "RUNNING";
    const { process, incarnation } = this;
    this.workloads.run(lease, ms, () =>
      process.enter(() => {
        if (this.incarnation === incarnation && held.state === "RUNNING" && !this.ending)
          this.keep(held, this.outcome(fails ? "FAILED" : "SUCCEEDED", "ended"));
      }),
    );
    const { random } = this.host.world;
    if (random.chance(0.7)) {
      const starts = [{ lease: lease.id, token: lease.token, startMs: this.host.wallMs() }];
      process.after(random.between(1, 60), () =>
        this.post.ask(this.plan.name, { kind: "starts", starts: { runner: this.plan.name, incarnation, starts } }),
      );
    }
  }

  private outcome(result: Outcome["result"], message: string): Outcome {
    return {
      result,
      signal: "",
      message,
      resultJson: "",
      permanent: false,
      outputBytes: 0,
      endMs: Math.round(this.host.wallMs()),
      exitCode: result === "SUCCEEDED" ? 0 : 1,
    };
  }

  /** Fsyncs the outcome, then says it, to the pool-manager and on the bus. */
  private keep(held: Held, outcome: Outcome): void {
    const { id, token } = held.lease;
    held.state = "ENDED";
    held.flush = (): void => {
      if (held.outcome) return;
      this.spool.outcomes.set(id, { token, outcome });
      held.outcome = outcome;
      this.observer.spools(id, outcome);
      this.complete([withProof(held.lease.secret, { lease: id, token, outcome })]);
    };
    this.process.after(this.host.world.random.between(0, 3), held.flush);
  }

  private complete(items: readonly ProvedCompletion[]): void {
    const { name } = this.plan;
    const proved = items.filter(({ proof }) => proof !== undefined);
    if (this.host.world.random.chance(0.5) && proved.length > 0)
      this.post.ask(name, { kind: "complete", runner: name, items: proved });
    if (!this.ending) this.post.ask(name, { kind: "complete", runner: name, incarnation: this.incarnation, items });
  }

  private confirm(results: readonly { readonly lease: string; readonly verdict: string }[]): void {
    for (const { lease, verdict } of results) {
      if (verdict === "REREAD") continue;
      const promise = this.refused.get(lease);
      if (promise) promise.unsaid = false;
      if (this.held.get(lease)?.outcome === undefined) continue;
      this.held.delete(lease);
      this.spool.outcomes.delete(lease);
      this.finished.add(lease);
    }
  }

  private revoke(revocations: readonly Revocation[]): void {
    for (const { lease, token } of revocations) {
      const held = this.held.get(lease);
      if (!held) {
        if (this.finished.has(lease)) continue;
        this.refused.set(lease, { token, unsaid: true });
        const { endMs: _endMs, exitCode: _exitCode, ...outcome } = this.outcome("NOT_STARTED", "refused");
        this.complete([{ lease, token, outcome }]);
      } else if (held.lease.token !== token) {
        // About something else.
      } else if (held.state === "ENDED") {
        if (held.outcome) this.complete([withProof(held.lease.secret, { lease, token, outcome: held.outcome })]);
      } else if (held.state === "RECEIVED") {
        this.keep(held, this.outcome("NOT_STARTED", "revoked before it began"));
      } else if (!held.stopping) {
        held.stopping = true;
        const { process, incarnation } = this;
        this.workloads.stop(lease, () =>
          process.enter(() => {
            if (this.incarnation === incarnation && held.state === "RUNNING" && !this.ending)
              this.keep(held, this.outcome("STOPPED", "revoked"));
          }),
        );
      }
    }
  }

  private reports(): Report[] {
    const reports: Report[] = [];
    for (const { lease, state, outcome } of this.held.values()) {
      // Ended, but not in the spool yet: it is still said to run.
      if (state === "ENDED" && !outcome) reports.push({ lease: lease.id, token: lease.token, state: "RUNNING" });
      else reports.push({ lease: lease.id, token: lease.token, state, ...(outcome && { outcome }) });
    }
    return reports;
  }
}
