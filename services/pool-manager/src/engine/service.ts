import type { Clock } from "@berth/chassis/clock";
import { CommandEngine, type Commit, type Now } from "@berth/chassis/engine";
import type { Logger } from "@berth/chassis/log";
import type { Telemetry } from "@berth/chassis/telemetry";
import type { AttemptRef, Bid } from "../domain/bid.js";
import type { BidResult, ForbidResult, Known } from "../domain/bids.js";
import { type Change, positionsPerGroup, type Row } from "../domain/changes.js";
import type { AnswerOf, CommandKind, CommandOf, Commands } from "../domain/commands.js";
import type { Completion, CompletionVerdict } from "../domain/completion.js";
import { PoolCore } from "../domain/core.js";
import type { Report, Revocation, SessionRefused } from "../domain/sessions.js";
import type { Settings, State } from "../domain/state.js";
import { audit } from "./auditor.js";
import { FinishedLeases, inParts } from "./finished.js";
import { Periodic } from "./periodic.js";
import type { PoolStore } from "./ports.js";
import { prune } from "./pruner.js";
import { PoolTracer } from "./tracing.js";

const pruneEveryMs = 60_000;

/** A result whose facts were overtaken: it says REREAD, and never leaves the engine. */
type Stale<Result> = Extract<Result, "REREAD" | { readonly verdict: "REREAD" } | { readonly found: "REREAD" }>;
/** A result as callers get it. */
type Decided<Result> = Exclude<Result, Stale<Result>>;

/** Settings of the engine of the pool-manager. */
export interface PoolEngineOptions {
  readonly store: PoolStore;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: off. */
  readonly telemetry?: Telemetry;
  /** Made at random by the caller; used only where the data are new. */
  readonly dataId: string;
  /** Made at random by the caller, at least 32 bytes in hexadecimal; used only where the data are new. */
  readonly leaseKey: string;
  readonly pools: Commands["begin"]["takes"]["pools"];
  readonly limits: Commands["begin"]["takes"]["limits"];
  /** Time between two audits, milliseconds. */
  readonly auditMs: number;
  /** Finished leases are pruned at this age, milliseconds. */
  readonly retentionMs: number;
  readonly onFailed: (error: Error) => void;
  /** Who this process is, for the leader row. */
  readonly holder?: string;
}

/** Runs the core: commands, with what was read of finished leases where their decision needs it; ticks, audits and prunes from time to time. */
export class PoolEngine {
  readonly core: PoolCore;
  readonly engine: CommandEngine<Commands, Change, Row>;
  readonly store: PoolStore;
  private readonly options: PoolEngineOptions;
  private readonly tracer: PoolTracer;
  private readonly finished: FinishedLeases;
  private readonly periodic: Periodic;
  private readonly revokedListeners = new Set<(runner: string, revocations: readonly Revocation[]) => void>();
  /** Alarms raised since the start. */
  alarms = 0;

  constructor(options: PoolEngineOptions) {
    this.options = options;
    this.store = options.store;
    this.core = new PoolCore(options.settings);
    this.tracer = new PoolTracer(options.telemetry);
    const { store, clock, logger, onFailed } = options;
    this.finished = new FinishedLeases(this.core.state, store);
    this.periodic = new Periodic(clock, logger);
    this.engine = new CommandEngine<Commands, Change, Row>({
      core: this.core,
      store,
      clock,
      logger,
      onFailed,
      name: "pool-manager",
      ...(options.holder !== undefined && { holder: options.holder }),
      load: (rows) => this.core.load(rows),
      maxGroupCommands: 100,
      checkpointAfterGroups: 256,
    });
    if (options.telemetry?.enabled) this.engine.onCommit((commit) => this.tracer.committed(commit));
  }

  /** Leads, as a standby from the epoch that it has `seen`, loads, and begins to tick. */
  async start(seen?: number): Promise<void> {
    await this.engine.start(seen);
    const { dataId, leaseKey, pools, limits, settings, auditMs, retentionMs, clock, logger } = this.options;
    await this.run("begin", { dataId, leaseKey, pools, limits });
    const stopping = () => this.periodic.stopped;
    this.periodic.every(Math.max(50, settings.ttlMs / 20), () => this.tick());
    this.periodic.every(auditMs, () => this.audit());
    this.periodic.every(pruneEveryMs, () => prune(this, { clock, logger, retentionMs, stopping }));
  }

  /** See the engine's. */
  confirm(): Promise<void> {
    return this.engine.confirm();
  }
  get confirmedMs(): number {
    return this.engine.confirmedMs;
  }

  /** Stops the timers, answers what waits, closes the store. */
  async stop(): Promise<void> {
    this.periodic.stop();
    await this.engine.stop();
  }

  /** Decides one command; settles after its commit. */
  run<Kind extends CommandKind>(kind: Kind, takes: Commands[Kind]["takes"]): Promise<AnswerOf<Kind>> {
    return this.engine.submit<Kind>({ kind, ...(takes as object) } as CommandOf<Kind>);
  }

  /** Reads the state, answered after a commit of this epoch. */
  read<Value>(read: (state: State, now: Now) => Value): Promise<Value> {
    return this.run("read", { read }) as Promise<Value>;
  }

  /** Calls `listener` after every commit that changed something. */
  onCommit(listener: (commit: Commit<Change>) => void): () => void {
    return this.engine.onCommit(listener);
  }

  /** Calls `listener` with leases that a runner is asked to stop. */
  onRevoked(listener: (runner: string, revocations: readonly Revocation[]) => void): () => void {
    this.revokedListeners.add(listener);
    return () => void this.revokedListeners.delete(listener);
  }

  /** What the secrets of leases are derived from; there is one once it leads. */
  get leaseKey(): string {
    const { leaseKey } = this.core.state.meta;
    if (leaseKey === undefined) throw new Error("there is no key of the leases' secrets before the first command");
    return leaseKey;
  }

  /** Position of the end of the journal. */
  get position(): number {
    return (this.engine.n + 1) * positionsPerGroup - 1;
  }

  /** Places bids: standing ones of a stream, or, with an empty session, ones that are answered at once. */
  async bid(session: string, bids: readonly Bid[]): Promise<Decided<BidResult>[]> {
    const results: Decided<BidResult>[] = [];
    for (const part of inParts(this.tracer.bids(bids)))
      results.push(
        ...(await this.engine.submitWith<Bid, "bids" | "placeBids", BidResult, Stale<BidResult>>(part, {
          read: async (bids) => {
            const known = await this.finished.ofAttempts(bids, false);
            return session === "" ? { kind: "placeBids", bids, known } : { kind: "bids", session, bids, known };
          },
          results: (answers) => answers,
          isStale: (result) => result.verdict === "REREAD",
        })),
      );
    return results;
  }

  /** Forbids attempts. */
  async forbid(attempts: readonly AttemptRef[], reason: string): Promise<Decided<ForbidResult>[]> {
    const results: Decided<ForbidResult>[] = [];
    for (const part of inParts(attempts))
      results.push(
        ...(await this.engine.submitWith<AttemptRef, "forbid", ForbidResult, Stale<ForbidResult>>(part, {
          read: async (attempts) => {
            return { kind: "forbid", attempts, reason, known: await this.finished.ofAttempts(attempts, true) };
          },
          results: ({ results, revoked }) => {
            for (const { runner, revocation } of revoked)
              for (const listener of this.revokedListeners) listener(runner, [revocation]);
            return results;
          },
          isStale: (result) => result.found === "REREAD",
        })),
      );
    return results;
  }

  /** Applies outcomes; `incarnation` undefined for those from the bus. */
  async complete(
    runner: string,
    incarnation: string | undefined,
    items: readonly Completion[],
  ): Promise<Decided<CompletionVerdict>[] | SessionRefused> {
    const verdicts: Decided<CompletionVerdict>[] = [];
    const from = incarnation === undefined ? { runner } : { runner, incarnation };
    for (const part of inParts(this.tracer.outcomes(items))) {
      const decided = await this.engine.submitWith<
        Completion,
        "complete",
        CompletionVerdict | SessionRefused,
        Stale<CompletionVerdict>
      >(part, {
        // Asked again for what the memory has in short form only, or has forgotten since the look: their rows are needed.
        read: async (items, again) => {
          const ids = items.map(({ lease }) => lease);
          return { kind: "complete", ...from, items, known: await this.finished.ofIds(ids, again > 0) };
        },
        results: (answer, items) => ("refused" in answer ? items.map(() => answer) : answer.verdicts),
        isStale: (verdict) => verdict === "REREAD",
      });
      for (const verdict of decided)
        if (typeof verdict === "object") return verdict;
        else verdicts.push(verdict);
    }
    this.tracer.answered(items);
    return verdicts;
  }

  /** Finished leases of the ended runs in an inventory that the memory may not have whole. */
  knownReports(inventory: readonly Report[]): Promise<Known> {
    return this.finished.ofIds(
      inventory.filter(({ state }) => state === "ENDED").map(({ lease }) => lease),
      true,
    );
  }

  /** See {@link audit}. */
  audit(): Promise<number> {
    return audit(this);
  }

  /** Raises an alarm: for a person to look at. */
  alarm(details: object, text: string): void {
    this.alarms++;
    this.options.logger.error(details, text);
  }

  private async tick(): Promise<void> {
    const { lost, alarm } = await this.run("tick", {});
    if (alarm !== "") this.alarm({ alarm }, "granting has stopped");
    for (const runner of lost) this.options.logger.warn({ runner }, "runner is lost: silent for its whole TTL");
  }
}
