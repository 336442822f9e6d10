import type { Clock, Timer } from "@berth/chassis/clock";
import { type Commit, Engine, type Now } from "@berth/chassis/engine";
import type { Logger } from "@berth/chassis/log";
import type { Telemetry } from "@berth/chassis/telemetry";
import type { AttemptRef, Bid } from "../domain/bid.js";
import type { BidResult, ForbidResult, Known } from "../domain/bids.js";
import { type Change, positionsPerGroup, type Row } from "../domain/changes.js";
import type { AnswerOf, Command, CommandKind, Commands } from "../domain/commands.js";
import type { Completion, CompletionVerdict } from "../domain/completion.js";
import { PoolCore } from "../domain/core.js";
import { attemptKey, type Lease } from "../domain/lease.js";
import { difference, sumWeights } from "../domain/limits.js";
import type { Report, Revocation, SessionRefused } from "../domain/sessions.js";
import type { Settings, State } from "../domain/state.js";
import type { PoolStore } from "./ports.js";
import { PoolTracer } from "./tracing.js";

/** Items of one command: larger requests are split, so that no group outgrows the positions of its events. */
const itemsPerCommand = 500;
/** Times that the store is read again for the same items. */
const rereadsMax = 5;

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

/** Runs the core: typed commands, reads of finished leases before a decision, ticks, audits, pruning. */
export class PoolEngine {
  readonly core: PoolCore;
  readonly engine: Engine<Command, unknown, Change, Row>;
  readonly store: PoolStore;
  private readonly options: PoolEngineOptions;
  private readonly tracer: PoolTracer;
  private readonly timers = new Set<Timer>();
  private readonly revokedListeners = new Set<(runner: string, revocations: readonly Revocation[]) => void>();
  private stopping = false;
  /** Alarms raised since the start. */
  alarms = 0;

  constructor(options: PoolEngineOptions) {
    this.options = options;
    this.store = options.store;
    this.core = new PoolCore(options.settings);
    this.tracer = new PoolTracer(options.telemetry);
    const { store, clock, logger, onFailed } = options;
    this.engine = new Engine<Command, unknown, Change, Row>({
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
    const { dataId, leaseKey, pools, limits, settings, auditMs } = this.options;
    await this.run("begin", { dataId, leaseKey, pools, limits });
    this.every(Math.max(50, settings.ttlMs / 20), () => this.tick());
    this.every(auditMs, async () => void (await this.audit()));
    this.every(60_000, () => this.prune());
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
    this.stopping = true;
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    await this.engine.stop();
  }

  /** Decides one command; settles after its commit. */
  run<Kind extends CommandKind>(kind: Kind, takes: Commands[Kind]["takes"]): Promise<AnswerOf<Kind>> {
    return this.engine.submit({ kind, ...(takes as object) } as unknown as Command) as Promise<AnswerOf<Kind>>;
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
  async bid(session: string, bids: readonly Bid[]): Promise<BidResult[]> {
    const results = new Map<string, BidResult>();
    for (const part of parts(this.tracer.bids(bids))) {
      let waiting = part;
      for (let round = 0; waiting.length > 0; round++) {
        const known = await this.knownAttempts(waiting, false);
        const answers =
          session === ""
            ? await this.run("placeBids", { bids: waiting, known })
            : await this.run("bids", { session, bids: waiting, known });
        for (const answer of answers) results.set(answer.key, answer);
        waiting =
          round >= rereadsMax
            ? []
            : waiting.filter((bid) => results.get(attemptKey(bid.task, bid.attempt))?.verdict === "REREAD");
      }
    }
    return bids.map((bid) => results.get(attemptKey(bid.task, bid.attempt)) as BidResult);
  }

  /** Forbids attempts. */
  async forbid(attempts: readonly AttemptRef[], reason: string): Promise<ForbidResult[]> {
    const results = new Map<string, ForbidResult>();
    for (const part of parts(attempts)) {
      let waiting = part;
      for (let round = 0; waiting.length > 0; round++) {
        const asked = waiting;
        const answer = await this.run("forbid", {
          attempts: asked,
          reason,
          known: await this.knownAttempts(asked, true),
        });
        answer.results.forEach((result, i) => {
          const { task, attempt } = asked[i] as AttemptRef;
          results.set(attemptKey(task, attempt), result);
        });
        for (const { runner, revocation } of answer.revoked)
          for (const listener of this.revokedListeners) listener(runner, [revocation]);
        waiting =
          round >= rereadsMax
            ? []
            : asked.filter(({ task, attempt }) => results.get(attemptKey(task, attempt))?.found === "REREAD");
      }
    }
    return attempts.map(({ task, attempt }) => results.get(attemptKey(task, attempt)) as ForbidResult);
  }

  /** Applies outcomes; `incarnation` undefined for those from the bus. */
  async complete(
    runner: string,
    incarnation: string | undefined,
    items: readonly Completion[],
  ): Promise<CompletionVerdict[] | SessionRefused> {
    const verdicts: CompletionVerdict[] = [];
    const from = incarnation === undefined ? { runner } : { runner, incarnation };
    for (const part of parts(this.tracer.outcomes(items))) {
      const decided = new Map<Completion, CompletionVerdict>();
      // Asked again for what the memory has in short form only, or has forgotten since the look: their rows are needed.
      let asked: readonly Completion[] = part;
      for (let round = 0; asked.length > 0 && round <= rereadsMax; round++) {
        const known = await this.knownLeases(
          asked.map(({ lease }) => lease),
          round > 0,
        );
        const answer = await this.run("complete", { ...from, items: asked, known });
        if ("refused" in answer) return answer;
        for (const [i, item] of asked.entries()) decided.set(item, answer.verdicts[i] ?? "REREAD");
        asked = asked.filter((item) => decided.get(item) === "REREAD");
      }
      verdicts.push(...part.map((item) => decided.get(item) as CompletionVerdict));
    }
    this.tracer.answered(items);
    return verdicts;
  }

  /** Finished leases of the ended runs in an inventory that the memory may not have whole. */
  knownReports(inventory: readonly Report[]): Promise<Known> {
    return this.knownLeases(
      inventory.filter(({ state }) => state === "ENDED").map(({ lease }) => lease),
      true,
    );
  }

  /** Compares the counts in memory with the rows and the journal, as of one commit. Returns the difference. */
  async audit(): Promise<number> {
    const pictures = new Map<number, ReadonlyMap<string, number>>();
    const ended = this.onCommit(({ n }) => void pictures.set(n, this.core.state.ledger.counts()));
    try {
      await this.run("mark", {});
      const { n, leases } = await this.store.occupying();
      // The rows may be ahead of what is known here to be committed: after another commit everything up to n has its picture.
      await this.run("mark", {});
      const at = Math.max(...[...pictures.keys()].filter((m) => m <= n));
      const drift = difference(pictures.get(at) ?? new Map(), sumWeights(leases));
      const { state } = this.core;
      if (drift === state.drift) return drift;
      // Once granting has stopped it stays so: the counts can't be trusted before they are rebuilt.
      if (drift === 0) return state.drift;
      this.alarms++;
      this.options.logger.error(
        { drift, n },
        "the counts in memory differ from the rows: granting has stopped; restart the pool-manager",
      );
      await this.run("drift", { drift });
      return drift;
    } finally {
      ended();
    }
  }

  private async tick(): Promise<void> {
    const { lost, alarm } = await this.run("tick", {});
    if (alarm !== "") {
      this.alarms++;
      this.options.logger.error({ alarm }, "granting has stopped");
    }
    for (const runner of lost) this.options.logger.warn({ runner }, "runner is lost: silent for its whole TTL");
  }

  private async prune(): Promise<void> {
    const { retentionMs, clock, logger } = this.options;
    const endedBeforeMs = clock.wallMs() - retentionMs;
    await this.run("horizon", { beforeMs: endedBeforeMs });
    const journalBelow = Math.floor(this.core.state.meta.acknowledged / positionsPerGroup);
    let gone = 0;
    for (let round = 0; round < 100 && !this.stopping; round++) {
      const went = await this.store.prune({ journalBelow, endedBeforeMs, max: 500 });
      gone += went;
      if (went === 0) break;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (gone > 0) logger.debug({ gone, journalBelow }, "pruned");
  }

  /** What the store has of attempts that aren't in memory, together with how far the memory reached when it was looked into. */
  private async knownAttempts(refs: readonly AttemptRef[], whole: boolean): Promise<Known> {
    const { ledger, recent } = this.core.state;
    const mark = recent.sequence;
    const missing: string[] = [];
    const leases: Lease[] = [];
    for (const { task, attempt } of refs) {
      const key = attemptKey(task, attempt);
      if (ledger.byKey.has(key)) continue;
      const short = recent.ofAttempt(key);
      const unwritten = short && recent.unwritten.get(short.id);
      if (unwritten) leases.push(unwritten);
      else if (short && !whole) leases.push(asLease(short.id, task, attempt, short));
      else missing.push(key);
    }
    if (missing.length > 0) leases.push(...(await this.store.finishedByKeys(missing)));
    return { leases, mark };
  }

  private async knownLeases(ids: readonly string[], whole: boolean): Promise<Known> {
    const { ledger, recent } = this.core.state;
    let mark = recent.sequence;
    const missing: string[] = [];
    const leases: Lease[] = [];
    for (const id of ids) {
      if (ledger.leases.has(id)) continue;
      const short = recent.get(id);
      const unwritten = recent.unwritten.get(id);
      if (unwritten) leases.push(unwritten);
      // The memory is relied on: should it forget this one before the decision, that must be seen.
      else if (short && !whole) mark = Math.min(mark, short.sequence - 1);
      else missing.push(id);
    }
    for (const part of parts(missing)) leases.push(...(await this.store.finishedByIds(part)));
    return { mark, leases };
  }

  private every(periodMs: number, work: () => Promise<void>): void {
    const { clock, logger } = this.options;
    const arm = (): void => {
      if (this.stopping) return;
      const timer = clock.setTimer(
        periodMs,
        () => {
          this.timers.delete(timer);
          work()
            .catch((error: unknown) =>
              logger.warn({ err: error }, "periodic work of the pool-manager failed; it is tried again"),
            )
            .finally(arm);
        },
        { unref: true },
      );
      this.timers.add(timer);
    };
    arm();
  }
}

/** Enough of a lease to say that its attempt is over. */
function asLease(
  id: string,
  task: string,
  attempt: number,
  short: {
    readonly token: number;
    readonly runner: string;
    readonly reason: Lease["reason"] & string;
    readonly ordinal: number;
  },
): Lease {
  const { token, runner, reason, ordinal } = short;
  return {
    id,
    task,
    attempt,
    token,
    state: "RELEASED",
    pool: "",
    runner,
    incarnation: "",
    slot: "",
    tenant: "",
    weights: [],
    grantMs: 0,
    reason,
    revokeReason: "",
    traceParent: "",
    overtaken: 0,
    ordinal,
  };
}

function* parts<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += itemsPerCommand) yield items.slice(at, at + itemsPerCommand);
}
