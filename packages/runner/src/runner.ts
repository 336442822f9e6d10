import { join } from "node:path";
import { type Clock, delay, systemClock } from "@berth/chassis/clock";
import { describe } from "@berth/chassis/errors";
import type { Component } from "@berth/chassis/lifecycle";
import { type Logger, silentLogger } from "@berth/chassis/log";
import { type FolderLock, lockFolder } from "@berth/chassis/sqlite";
import { noTelemetry } from "@berth/chassis/telemetry";
import { runner, subjects } from "@berth/contracts";
import { connect, type Links } from "./api/links.js";
import { completionOf } from "./domain/completion.js";
import { defaultEnvAllow } from "./domain/environment.js";
import { Leases } from "./domain/leases.js";
import { outcomeOf, type Stop } from "./domain/outcome.js";
import { Executor, type RunOptions, stopForDeadline } from "./executor.js";
import { GroupFile } from "./guard/group-file.js";
import { GuardKeeper } from "./guard/keeper.js";
import { killLeftovers } from "./guard/leftovers.js";
import type { Handler } from "./handlers.js";
import { Offer } from "./offer.js";
import { checkOptions, type RunnerOptions, runnerId } from "./options.js";
import { type LogPort, LogSender } from "./output/sender.js";
import type { RunnerFigures, RunnerHealth } from "./report.js";
import { Incarnations } from "./session/incarnations.js";
import { instants } from "./session/instants.js";
import { Session } from "./session/session.js";
import { Spool } from "./spool/spool.js";
import { within } from "./within.js";

const stopForStop: Stop = { result: "RESULT_STOPPED", message: "the runner is stopping" };
const stopForGuard: Stop = { result: "RESULT_STOPPED", message: "the runner's guard had died" };
const confirmTimeoutMs = 2_000;
const detachTimeoutMs = 1_000;
const stubbornMs = 5_000;
const graceMsMax = 60_000;
const backOffFirstMs = 50;
const backOffMaxMs = 2_000;
const broadcastMax = 1_000;

/** Takes granted work, runs it, and says how it ended. Made by {@link createRunner}. */
export class Runner implements Component {
  /** Runner id. */
  readonly id: string;
  private readonly options: RunnerOptions;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly links: Links;
  private readonly offer: Offer;
  private readonly leases = new Leases();
  private readonly groups: GroupFile;
  private readonly keeper: GuardKeeper;
  private readonly spool: Spool;
  private readonly sender: LogSender;
  private readonly executor: Executor;
  private readonly session: Session;
  private readonly waiters = new Map<string, (outcome: runner.Outcome) => void>();
  private readonly verdicts = { applied: 0, repeated: 0, late: 0, stale: 0 };
  private changed: (() => void)[] = [];
  private work: { incarnation: string; abort: AbortController } | undefined;
  private lock: FolderLock | undefined;
  private draining = false;
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  constructor(options: RunnerOptions, links: Links) {
    this.offer = new Offer(options);
    this.options = options;
    this.links = links;
    this.clock = options.clock ?? systemClock;
    this.id = runnerId(options.dataFolder, options.id);
    this.logger = (options.logger ?? silentLogger).child({ runner: this.id });
    const { clock, logger } = this;
    this.groups = new GroupFile(options.dataFolder);
    this.keeper = new GuardKeeper({
      groups: this.groups,
      clock,
      logger,
      onDeath: () => this.executor.killProcesses(stopForGuard),
    });
    this.spool = new Spool({
      folder: join(options.dataFolder, "spool"),
      clock,
      logger,
      ...(options.reserveBytes === undefined ? {} : { reserveBytes: options.reserveBytes }),
      onGroup: (completions, durable) => this.spooled(completions, durable),
      onDisk: (problem) => this.diskChanged(problem),
    });
    this.sender = new LogSender(links.logs ?? nowhere, clock, logger, options.logs);
    this.executor = this.makeExecutor();
    this.session = this.makeSession();
  }

  /**
   * Registers a handler under a name that tasks call it by: 1 to 128 characters, at most 256 handlers. What is registered before `start`
   * is there when the runner attaches, later ones are announced at once; tasks for it wait until then.
   *
   * @throws RangeError if the name is too long or taken, or there are too many.
   */
  handle<Payload = unknown>(name: string, handler: Handler<Payload>): this {
    this.offer.add(name, handler as Handler);
    this.session.announce();
    return this;
  }

  /**
   * Takes a handler away: no more tasks for it come here. Those on their way go back without having spent anything, those that run go on.
   * False if there is none of that name.
   */
  removeHandler(name: string): boolean {
    const removed = this.offer.handlers.delete(name);
    if (removed) this.session.announce();
    return removed;
  }

  /** Takes the work of these pools from now on, so many runs at once; what it holds goes on. @throws RunnerOptionsError */
  serve({ pools, capacity }: { readonly pools: readonly string[]; readonly capacity?: number }): void {
    this.offer.serve(pools, capacity);
    this.session.announce();
  }

  /**
   * Locks the data folder, kills what earlier processes of this runner left, starts the guard and begins to attach; it goes on trying by
   * itself while the pool-manager is away. Safe to call twice.
   *
   * @throws FolderLocked if another process has the data folder.
   */
  start(): Promise<void> {
    this.starting ??= this.startOnce();
    return this.starting;
  }

  /** Takes no new work; settles when everything held has ended and is confirmed. `stop` may be called meanwhile. */
  async drain(): Promise<void> {
    this.draining = true;
    this.session.renewNow();
    while (this.leases.count > 0 && !this.stopping) await this.nextChange();
  }

  /** Stops the runs (SIGTERM, grace, SIGKILL), sends their outcomes, detaches, and frees the data folder. Safe to call twice. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce();
    return this.stopping;
  }

  /** Settles when the pool-manager has answered the attachment. */
  async whenAttached(): Promise<void> {
    while (!this.session.isAttached && !this.stopping) await this.nextChange();
  }

  /** Incarnation of the session; empty before the first. */
  get incarnation(): string {
    return this.session.incarnation;
  }

  /** Process id of the guard; 0 while there is none. */
  get guardPid(): number {
    return this.keeper.pid;
  }

  /** What it has done. */
  get figures(): RunnerFigures {
    const { groups, outcomes } = this.spool.figures;
    return { running: this.executor.count, held: this.leases.count, outcomes, spoolGroups: groups, ...this.verdicts };
  }

  /** How it is doing. */
  get health(): RunnerHealth {
    const checks = {
      poolManager: this.session.isAttached ? "ok" : "not attached to the pool-manager",
      guard: this.keeper.ready ? "ok" : "no guard is running",
      disk: this.spool.refusal ?? "ok",
      draining: this.draining || this.stopping !== undefined ? "takes no new work" : "ok",
    };
    return { ready: Object.values(checks).every((check) => check === "ok"), checks };
  }

  /**
   * Runs work that its program was granted by itself, for a runner without a scheduler. Settles with the outcome once it is spooled.
   *
   * @throws if the lease has been received or refused before, or the runner isn't attached.
   */
  accept(work: runner.Work, options: RunOptions = {}): Promise<runner.Outcome> {
    if (this.session.deadlinePassed)
      throw new Error(`lease ${work.lease} can't be run: the runner isn't attached to the pool-manager`);
    if (!this.leases.receive(work)) throw new Error(`lease ${work.lease} was received or refused before`);
    return new Promise((resolve) => {
      this.waiters.set(work.lease, resolve);
      this.executor.start(work, options);
    });
  }

  private async startOnce(): Promise<void> {
    this.lock = lockFolder(this.options.dataFolder);
    const leftovers = this.groups.leftovers();
    const killed = await killLeftovers(leftovers, this.clock, (left) =>
      this.logger.warn({ left }, "processes of an earlier runner are still alive"),
    );
    if (killed > 0) this.logger.warn({ killed }, "killed what an earlier process of this runner had left");
    for (const completion of await this.spool.open()) this.leases.end(completion);
    await this.keeper.whenReady();
    this.session.start();
  }

  private async stopOnce(): Promise<void> {
    this.tellChange();
    await this.starting?.catch(() => {});
    this.work?.abort.abort();
    this.executor.stopAll(stopForStop, graceMsMax);
    const ended = await within(this.clock, this.executor.idle(), this.executor.graceMs + stubbornMs);
    if (!ended)
      this.logger.error({ running: this.executor.count }, "handlers don't return; the runner stops without them");
    await this.spool.idle();
    if (this.session.isAttached) await within(this.clock, this.confirmedAll(), confirmTimeoutMs);
    if (this.leases.count === 0) await this.session.detach(detachTimeoutMs);
    await this.session.stop();
    this.sender.stop();
    await this.keeper.stop();
    await this.spool.close();
    this.groups.close();
    this.links.close();
    this.lock?.release();
  }

  private makeExecutor(): Executor {
    const { options, clock, keeper, sender, offer } = this;
    return new Executor({
      clock,
      keeper,
      sender,
      handlers: offer.handlers,
      telemetry: options.telemetry ?? noTelemetry,
      environment: options.environment ?? process.env,
      envAllow: options.envAllow ?? defaultEnvAllow,
      folder: options.workFolder ?? process.cwd(),
      secretsFolder: options.secretsFolder,
      identity: () => ({ runner: this.id, incarnation: this.session.incarnation }),
      deadlinePassed: () => this.session.deadlinePassed,
      onBegin: (lease) => {
        this.leases.begin(lease, clock.monoMs(), clock.wallMs());
        this.session.began();
      },
      onEnd: (completion) => this.spool.add(completion),
    });
  }

  private makeSession(): Session {
    const { options, clock, logger, leases, executor, keeper, spool } = this;
    const incarnations = new Incarnations(options.dataFolder);
    return new Session({
      runner: this.id,
      offer: () => this.offer.announcement,
      link: this.links.leases,
      leases,
      clock,
      logger,
      now: instants(clock),
      newIncarnation: () => incarnations.next(),
      isDraining: () => {
        spool.checkDisk();
        return this.draining || this.stopping !== undefined || spool.refusal !== undefined;
      },
      graceMs: () => executor.graceMs,
      onBegin: async (incarnation) => {
        this.groups.begin(incarnation);
        keeper.begin(incarnation);
      },
      onAttached: () => {
        this.fetchWork();
        this.tellChange();
      },
      onDeadline: (leftMs) => keeper.moveDeadline(leftMs),
      onNearDeadline: (graceMs) => {
        if (executor.count > 0)
          logger.warn({ running: executor.count }, "the deadline is near; the runs are asked to end");
        executor.stopAll(stopForDeadline, graceMs);
      },
      onEnd: async (reason) => {
        this.work?.abort.abort();
        executor.stopAll({ result: "RESULT_STOPPED", message: reason }, 0);
        await executor.idle();
        await executor.sweep();
        keeper.endSession();
        await spool.idle();
        this.tellChange();
      },
      onRevoked: (revocations) => {
        for (const { lease, reason } of revocations)
          executor.stop(lease, { result: "RESULT_STOPPED", message: reason === "" ? "revoked" : reason });
      },
      onConfirmed: (confirmed, results) => this.confirmed(confirmed, results),
    });
  }

  /** Fetches the work of the present incarnation, connecting again and again until the incarnation is over. */
  private fetchWork(): void {
    const { work: link } = this.links;
    const { incarnation } = this.session;
    if (!link || this.stopping || this.work?.incarnation === incarnation) return;
    const abort = new AbortController();
    this.work = { incarnation, abort };
    void (async () => {
      for (let waitMs = backOffFirstMs; !abort.signal.aborted; waitMs = Math.min(waitMs * 2, backOffMaxMs)) {
        try {
          for await (const { work } of link.open({ runner: this.id, incarnation }, abort.signal)) {
            waitMs = backOffFirstMs;
            this.take(work);
          }
        } catch (error) {
          if (!abort.signal.aborted)
            this.logger.info({ error: describe(error, { named: true }) }, "the work stream has broken");
        }
        await delay(this.clock, waitMs, abort.signal);
      }
    })();
  }

  private take(work: readonly runner.Work[]): void {
    this.spool.checkDisk();
    // Without a session nothing is held: what is still granted comes again with the next one.
    if (this.session.deadlinePassed) return;
    const refusal = this.draining || this.stopping !== undefined ? "the runner takes no new work" : this.spool.refusal;
    for (const item of work) {
      if (!this.leases.receive(item)) continue;
      // The pool-manager believes something old of this runner: it is told anew.
      if (this.offer.lacks(item)) this.session.announce();
      if (refusal === undefined) this.executor.start(item);
      else this.refuse(item, refusal);
    }
  }

  private refuse(work: runner.Work, message: string): void {
    const measured = { startWallMs: undefined, endWallMs: this.clock.wallMs(), outputBytes: 0 };
    const outcome = outcomeOf({ kind: "notStarted", message, permanent: false }, undefined, measured);
    this.spool.add(completionOf(work, outcome, ""));
  }

  private spooled(completions: readonly runner.Completion[], durable: boolean): void {
    for (const completion of completions) this.leases.end(completion);
    this.session.complete(completions);
    if (durable) this.broadcast(completions);
    if (this.waiters.size === 0) return;
    for (const { lease, outcome } of completions) {
      if (outcome) this.waiters.get(lease)?.(outcome);
      this.waiters.delete(lease);
    }
  }

  /** In parallel with the lease stream; whichever arrives first decides. Nothing rests on it. */
  private broadcast(all: readonly runner.Completion[]): void {
    const { bus } = this.options;
    // Nobody believes a broadcast without a proof.
    const completions = all.filter(({ proof }) => proof.length > 0);
    if (!bus || completions.length === 0) return;
    const incarnation = this.session.incarnation;
    for (let at = 0; at < completions.length; at += broadcastMax) {
      const batch = { runner: this.id, incarnation, completions: completions.slice(at, at + broadcastMax) };
      const traceParents = () => batch.completions.map(({ traceParent }) => traceParent);
      bus
        .publish(subjects.completion, batch, { traceParents })
        .catch((error) =>
          this.logger.debug({ error: describe(error, { named: true }) }, "completions couldn't be broadcast"),
        );
    }
  }

  private confirmed(leases: readonly string[], results: readonly runner.CompletionResult[]): void {
    this.spool.confirm(leases);
    for (const { lease, verdict } of results) {
      if (verdict === runner.CompletionResult_Verdict.APPLIED) this.verdicts.applied += 1;
      else if (verdict === runner.CompletionResult_Verdict.REPEATED) this.verdicts.repeated += 1;
      else {
        this.verdicts[verdict === runner.CompletionResult_Verdict.LATE ? "late" : "stale"] += 1;
        this.logger.warn({ lease, verdict }, "an outcome came too late; the pool-manager has recorded it");
      }
    }
    this.tellChange();
  }

  private diskChanged(problem: string | undefined): void {
    if (problem === undefined) this.logger.info("the disk has recovered; work is taken again");
    else this.logger.error({ problem }, "no new work is taken");
    this.session?.renewNow();
  }

  private async confirmedAll(): Promise<void> {
    while (this.leases.count > 0) await this.nextChange();
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => this.changed.push(resolve));
  }

  private tellChange(): void {
    for (const resolve of this.changed.splice(0)) resolve();
  }
}

/** Where output goes without a registry. */
const nowhere: LogPort = { append: async () => {}, isTemporary: () => false };

/** Makes a runner; nothing happens before `start`. @throws RunnerOptionsError naming every option that is wrong. */
export function createRunner(options: RunnerOptions): Runner {
  checkOptions(options);
  return new Runner(options, connect(options, options.telemetry ?? noTelemetry));
}
