import type { Change } from "@berth/pool-manager/internal/domain/changes";
import { attemptKey, type Lease, type Outcome, outcomeMark } from "@berth/pool-manager/internal/domain/lease";
import type { Committed } from "./disk.js";
import type { Reply } from "./messages.js";
import type { Plan } from "./plan.js";
import type { World } from "./world.js";

/** Names of what is checked; see the README. */
export const invariants = [
  "S1",
  "S2",
  "S3",
  "S4",
  "S5",
  "S6",
  "S7",
  "S8",
  "S9",
  "S10",
  "placing",
  "drift",
  "L1",
  "L2",
  "L3",
  "L4",
] as const;

/** One of them; `broken` for a process that threw. */
export type Invariant = (typeof invariants)[number] | "broken";

/** An invariant that doesn't hold. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: Invariant;

  constructor(invariant: Invariant, text: string) {
    super(`${invariant}: ${text}`);
    this.invariant = invariant;
  }
}

interface Live {
  readonly lease: Lease;
  /** Capacities of its limits when it was granted. */
  readonly capacities: ReadonlyMap<string, number>;
}

/** Mark of outcomes that nobody had a right to send. */
export const staleMessage = "stale";

/**
 * Sees every commit, every answer and every workload, in true time, and says what must hold of them. It counts anew from what was
 * committed each time, and shares nothing with the core but the shape of its changes.
 */
export class Observer {
  readonly occupying = new Map<string, Lease>();
  readonly released = new Map<string, Lease>();
  readonly live = new Map<string, Live>();
  readonly spooled = new Map<string, Outcome>();
  readonly figures = {
    commits: 0,
    grants: 0,
    releases: 0,
    runs: 0,
    late: 0,
    expired: 0,
    killed: 0,
    answers: 0,
    epochs: 0,
    carried: 0,
  };
  first: Violation | undefined;
  private readonly world: World;
  private readonly plan: Plan;
  private readonly capacity = new Map<string, number>();
  private readonly reserves = new Map<string, { reserve: number; priority: number }>();
  private readonly runnerCapacity = new Map<string, number>();
  private readonly runnerHandlers = new Map<string, readonly string[]>();
  private readonly grantedAt = new Map<string, Map<string, number>>();
  private readonly attempts = new Map<string, number>();
  private readonly priorities = new Map<string, number>();
  private readonly handlers = new Map<string, string>();
  private readonly ran = new Set<string>();
  private readonly lastCommitMs = new Map<number, number>();
  /** What attempts had suffered when they came: as much as the one before them, which spent no retry. By attempt. */
  private readonly suffered = new Map<string, number>();
  /** How often bids were last seen to have been overtaken, by process and attempt. */
  private readonly seen = new Map<string, Map<string, number>>();
  private epoch = 0;
  private n = 0;
  private token = 0;
  private ordinal = 0;

  constructor(world: World, plan: Plan) {
    this.world = world;
    this.plan = plan;
    for (const { task, bid } of plan.tasks) {
      this.priorities.set(task, bid.priority);
      this.handlers.set(task, bid.handler);
    }
  }

  /** Clocks, kill time and guard keep to what S2 assumes. */
  get withinAssumptions(): boolean {
    return this.plan.faults.drift <= 0.01;
  }

  report(invariant: Invariant, text: string): void {
    this.first ??= new Violation(invariant, text);
    this.world.trace(`VIOLATION ${invariant}: ${text}`);
  }

  /** A group is at rest. `counts` is what the committing process believes. */
  committed(group: Committed, by: string, counts: ReadonlyMap<string, number> | undefined): void {
    this.world.trace(`commit ${group.epoch}/${group.n} by ${by}: ${group.changes.map(short).join(" ")}`);
    this.figures.commits++;
    if (group.epoch < this.epoch)
      this.report(
        "S9",
        `${by} committed ${group.n} under epoch ${group.epoch} after epoch ${this.epoch} had committed`,
      );
    if (group.n !== this.n + 1) this.report("S9", `commit ${group.n} after ${this.n}`);
    if (group.epoch > this.epoch) this.figures.epochs++;
    this.epoch = group.epoch;
    this.n = group.n;
    this.lastCommitMs.set(group.epoch, this.world.nowMs);
    for (const change of group.changes) this.take(change);
    this.conserve();
    if (counts) this.audit(counts, `${by} at commit ${group.n}`);
  }

  /** A process answers; what it answers had arrived at `sinceMs`. It must have committed something since, or it answers from memory. */
  answered(by: string, epoch: number, sinceMs: number, what: string): void {
    this.figures.answers++;
    const lastMs = this.lastCommitMs.get(epoch);
    if (lastMs === undefined || lastMs < sinceMs)
      this.report(
        "S9",
        `${by} (epoch ${epoch}) answered ${what} without a commit since it was asked at ${sinceMs.toFixed(3)}`,
      );
  }

  /** What leaves a process must be at rest before. */
  said(to: string, reply: Reply): void {
    if (reply.kind === "bids") {
      for (const result of reply.results) {
        if (result.verdict !== "GRANTED" || this.grantedAt.has(result.lease.id)) continue;
        this.report("S10", `the grant of ${result.lease.id} was told before its commit`);
      }
      return;
    }
    const results =
      reply.kind === "completed"
        ? reply.results
        : "answer" in reply && "results" in reply.answer
          ? reply.answer.results
          : [];
    for (const { lease, verdict } of results) {
      if (verdict === "STALE" && to.startsWith("r") && this.spooled.has(lease))
        this.report("S7", `the spooled outcome of ${lease} is called stale, and its runner forgets it`);
      if (verdict === "REREAD" || verdict === "STALE" || this.released.has(lease)) continue;
      this.report("S10", `${lease} was told to be over (${verdict}) before its commit`);
    }
  }

  /** A workload begins, in true time. */
  runStarts(lease: Lease): void {
    this.figures.runs++;
    this.world.trace(`run ${lease.id} of ${lease.task}`);
    if (this.ran.has(lease.id)) this.report("S4", `lease ${lease.id} is run twice`);
    this.ran.add(lease.id);
    const capacities = this.grantedAt.get(lease.id);
    if (!capacities) return this.report("S10", `lease ${lease.id} is run, and was never committed`);
    const other = [...this.live.values()].find((one) => one.lease.task === lease.task || one.lease.slot === lease.slot);
    this.live.set(lease.id, { lease, capacities });
    if (!this.withinAssumptions) return;
    if (other)
      this.report(
        "S4",
        `${lease.id} and ${other.lease.id} are alive at once in task ${lease.task} or slot ${lease.slot}`,
      );
    if (!this.occupying.has(lease.id)) this.report("S2", `${lease.id} begins to run after its release`);
    this.physical(lease);
  }

  /** It is dead, in true time. */
  runEnds(lease: string, how: string): void {
    if (!this.live.delete(lease)) return;
    this.world.trace(`dead ${lease} ${how}`);
    if (how === "killed") this.figures.killed++;
  }

  /** An outcome is fsynced. */
  spools(lease: string, outcome: Outcome): void {
    this.world.trace(`spooled ${lease} ${outcome.result}`);
    this.spooled.set(lease, outcome);
  }

  /** S7 at the end: every spooled outcome was applied, or is kept as late. */
  outcomesKept(): void {
    for (const [id, outcome] of this.spooled) {
      const lease = this.released.get(id);
      const mark = outcomeMark(outcome);
      const kept =
        lease && [outcomeMark(lease.outcome), outcomeMark(lease.lateOutcome)].filter((one) => one === mark).length;
      if (kept !== 1)
        this.report(
          "S7",
          `the outcome ${mark} of ${id} is kept ${kept ?? 0} times: ${lease ? `${lease.reason} ${outcomeMark(lease.outcome)} late ${outcomeMark(lease.lateOutcome)}` : "not released"}`,
        );
    }
  }

  /** A task goes back without having spent a retry: its next attempt has suffered what this one had. */
  goesBack({ id, task, attempt }: Lease): void {
    const overtaken = this.released.get(id)?.overtaken ?? 0;
    if (overtaken > 0) this.figures.carried++;
    this.suffered.set(attemptKey(task, attempt + 1), overtaken);
  }

  /** L3: how often a task was overtaken isn't forgotten while a process lives, nor from one attempt to the next. */
  standing(bids: Iterable<{ readonly key: string; readonly overtaken: number }>, by: string): void {
    const seen = this.seen.get(by) ?? new Map<string, number>();
    this.seen.set(by, seen);
    for (const { key, overtaken } of bids) {
      const least = Math.max(seen.get(key) ?? 0, this.suffered.get(key) ?? 0);
      if (overtaken < least) this.report("L3", `${by} counts ${overtaken} overtakings of ${key}, which had ${least}`);
      seen.set(key, overtaken);
    }
  }

  /** The counts of a process against what was committed. */
  audit(counts: ReadonlyMap<string, number>, where: string): void {
    const sums = this.sums();
    for (const name of new Set([...sums.keys(), ...counts.keys()])) {
      const [sum, count] = [sums.get(name) ?? 0, counts.get(name) ?? 0];
      if (sum !== count) this.report("drift", `${where} counts ${count} of ${name}, committed are ${sum}`);
    }
  }

  private take(change: Change): void {
    switch (change.k) {
      case "limit":
        if (change.limit) this.capacity.set(change.name, change.limit.capacity);
        else this.capacity.delete(change.name);
        if (change.limit)
          this.reserves.set(change.name, { reserve: change.limit.reserve, priority: change.limit.reservePriority });
        return;
      case "runner":
        if (!change.record) return;
        this.runnerCapacity.set(change.runner, change.record.capacity);
        this.runnerHandlers.set(change.runner, change.record.handlers ?? []);
        return;
      case "lease":
        return this.lease(change.e, change.l);
      default:
        return;
    }
  }

  private lease(event: string, lease: Lease): void {
    const before = this.occupying.get(lease.id) ?? this.released.get(lease.id);
    if (event === "GRANTED") return this.granted(lease, before);
    if (!before) return this.report("S5", `${event} of ${lease.id}, which was never granted`);
    if (before.token !== lease.token || before.attempt !== lease.attempt)
      this.report("S3", `${event} changes the token or attempt of ${lease.id}`);
    if (event === "LATE_RESULT") {
      this.figures.late++;
      if (!this.released.has(lease.id)) this.report("S5", `late result of ${lease.id} before its release`);
      if (
        before.reason !== lease.reason ||
        before.ordinal !== lease.ordinal ||
        outcomeMark(before.outcome) !== outcomeMark(lease.outcome)
      )
        this.report("S5", `a late result changes how ${lease.id} ended`);
      this.released.set(lease.id, lease);
      if (lease.lateOutcome?.message === staleMessage)
        this.report("S3", `a stale effect is kept as late result of ${lease.id}`);
      return;
    }
    if (!this.occupying.has(lease.id)) return this.report("S5", `${event} of ${lease.id} after its release`);
    if (event === "EXPIRED") this.figures.expired++;
    if (event !== "RELEASED") return void this.occupying.set(lease.id, lease);
    this.occupying.delete(lease.id);
    this.released.set(lease.id, lease);
    this.figures.releases++;
    if (lease.reason === undefined) this.report("S5", `${lease.id} is released without a reason`);
    if (lease.ordinal !== ++this.ordinal)
      this.report("S6", `release number ${lease.ordinal} of ${lease.id}, expected ${this.ordinal}`);
    if (lease.outcome?.message === staleMessage) this.report("S3", `a stale effect has ended ${lease.id}`);
    if (this.withinAssumptions && this.live.has(lease.id))
      this.report("S2", `${lease.id} is released (${lease.reason}) while its run is alive`);
  }

  private granted(lease: Lease, before: Lease | undefined): void {
    this.figures.grants++;
    if (before) this.report("S4", `${lease.id} is granted again`);
    if (!(lease.token > this.token)) this.report("S3", `token ${lease.token} after ${this.token}`);
    this.token = lease.token;
    for (const other of this.occupying.values()) {
      if (other.task === lease.task) this.report("S4", `${lease.task} has ${other.id} and gets ${lease.id}`);
      if (other.slot === lease.slot) this.report("S4", `slot ${lease.slot} has ${other.id} and gets ${lease.id}`);
    }
    const last = this.attempts.get(lease.task) ?? 0;
    if (lease.attempt !== last + 1) this.report("S8", `${lease.task} gets attempt ${lease.attempt} after ${last}`);
    this.attempts.set(lease.task, lease.attempt);
    const suffered = this.suffered.get(attemptKey(lease.task, lease.attempt)) ?? 0;
    if ((lease.overtaken ?? 0) < suffered)
      this.report(
        "L3",
        `${lease.id} knows of ${lease.overtaken ?? 0} overtakings of ${lease.task}, which had ${suffered}`,
      );
    const handler = this.handlers.get(lease.task) ?? "";
    if (handler !== "" && !this.runnerHandlers.get(lease.runner)?.includes(handler))
      this.report("placing", `${lease.id} is for handler ${handler}, which ${lease.runner} doesn't have`);
    this.occupying.set(lease.id, lease);
    this.admit(lease);
  }

  private admit(lease: Lease): void {
    const sums = this.sums();
    const capacities = new Map<string, number>();
    for (const [name] of lease.weights) {
      const sum = sums.get(name) ?? 0;
      const capacity = this.capacityOf(name);
      capacities.set(name, capacity);
      if (!(sum <= capacity)) this.report("S1", `${lease.id} makes ${sum} of ${capacity} ${name}`);
      const kept = this.reserves.get(name);
      const spare = kept && (this.priorities.get(lease.task) ?? 0) < kept.priority ? kept.reserve : 0;
      if (!(sum <= capacity - spare)) this.report("S1", `${lease.id} takes what is reserved of ${name}`);
    }
    this.grantedAt.set(lease.id, capacities);
  }

  private capacityOf(name: string): number {
    if (name.startsWith("runner:")) return this.runnerCapacity.get(name.slice(7)) ?? 0;
    const unbounded = name.startsWith("tenant:") || name.endsWith(":cpu") || name.endsWith(":memory");
    return this.capacity.get(name) ?? (unbounded ? Number.POSITIVE_INFINITY : 0);
  }

  /** Whoever is alive was occupying at every later grant: so the live ones up to any of them fit into the capacity at its grant. */
  private physical(started: Lease): void {
    const live = [...this.live.values()].sort((left, right) => left.lease.token - right.lease.token);
    const sums = new Map<string, number>();
    for (const { lease, capacities } of live) {
      for (const [name, weight] of lease.weights) {
        const sum = (sums.get(name) ?? 0) + weight;
        sums.set(name, sum);
        const capacity = capacities.get(name) ?? 0;
        if (!(sum <= capacity)) this.report("S2", `${sum} of ${capacity} ${name} are alive when ${started.id} begins`);
      }
    }
  }

  private conserve(): void {
    if (this.figures.grants !== this.occupying.size + this.released.size)
      this.report(
        "S6",
        `${this.figures.grants} granted, ${this.occupying.size} occupying, ${this.released.size} released`,
      );
  }

  private sums(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { weights } of this.occupying.values())
      for (const [name, weight] of weights) sums.set(name, (sums.get(name) ?? 0) + weight);
    return sums;
  }
}

function short(change: Change): string {
  if (change.k === "lease")
    return `${change.e}(${change.l.id} ${attemptKey(change.l.task, change.l.attempt)} ${change.l.slot}${change.l.reason ? ` ${change.l.reason}` : ""})`;
  if (change.k === "runner")
    return `runner(${change.runner} ${change.record?.incarnation ?? "gone"}${change.record?.lost ? " lost" : ""})`;
  if (change.k === "limit") return `limit(${change.name} ${change.limit?.capacity})`;
  return change.k;
}
