import { silentLogger } from "@berth/chassis/log";
import { secretOf } from "@berth/pool-manager/internal/api/proofs";
import type { Bid } from "@berth/pool-manager/internal/domain/bid";
import { attemptKey, type Lease } from "@berth/pool-manager/internal/domain/lease";
import { readEvents } from "@berth/pool-manager/internal/engine/lease-events";
import { PoolEngine } from "@berth/pool-manager/internal/engine/service";
import type { Bug } from "./bugs.js";
import { type Disk, SimulatedStore } from "./disk.js";
import { type Host, Process } from "./host.js";
import type { Ask, ProvedCompletion, Reply, ToldLease } from "./messages.js";
import type { Plan } from "./plan.js";
import { isProved } from "./proof.js";

/** What a manager process says to the world. */
export interface ManagerMouth {
  /** A reply, or news that nobody asked for; `sinceMs` is the true time at which what it answers had arrived. */
  say(from: Manager, to: string, reply: Reply, sinceMs: number): void;
  failed(manager: Manager): void;
}

/** One process of the pool-manager: the real engine and core over the simulated store, behind a simulated api. */
export class Manager {
  readonly process: Process;
  readonly store: SimulatedStore;
  readonly pool: PoolEngine;
  readonly bug: Bug | undefined;
  ready = false;
  private readonly mouth: ManagerMouth;
  private readonly bidders = new Map<string, string>();

  constructor(name: string, host: Host, disk: Disk, plan: Plan, mouth: ManagerMouth, bug: Bug | undefined) {
    this.process = new Process(host, name, true);
    this.mouth = mouth;
    this.bug = bug;
    this.store = bug?.store ? bug.store(disk, this.process) : new SimulatedStore(disk, this.process);
    this.pool = new PoolEngine({
      store: this.store,
      settings: plan.settings,
      clock: this.process.clock,
      logger: silentLogger,
      dataId: "sim",
      leaseKey: "5ea1",
      pools: plan.pools,
      limits: plan.limits.map((spec) => ({ ...spec })),
      auditMs: plan.settings.ttlMs * 2,
      retentionMs: 1e12,
      onFailed: () => mouth.failed(this),
    });
    // Small distances between checkpoints, so that rows and journal are both needed at a restart.
    (this.pool.engine as unknown as { options: { checkpointAfterGroups: number } }).options.checkpointAfterGroups =
      plan.checkpointAfterGroups;
    bug?.core?.(this.pool.core, this);
    this.pool.onCommit(({ changes }) => {
      for (const change of changes) if (change.k === "lease") this.news(change.e, change.l);
    });
  }

  start(): void {
    this.pool.start().then(
      () => {
        this.ready = true;
      },
      () => this.mouth.failed(this),
    );
  }

  /** Takes a message. What fails isn't answered: whoever asked asks again. */
  hear(from: string, ask: Ask): void {
    const sinceMs = this.process.host.world.nowMs;
    const say = (reply: Reply | undefined): void => {
      if (reply) this.mouth.say(this, from, reply, sinceMs);
    };
    this.answer(from, ask).then(say, () => say(this.bug?.unanswered?.(this, ask)));
  }

  private async answer(from: string, ask: Ask): Promise<Reply | undefined> {
    const { pool } = this;
    switch (ask.kind) {
      case "attach": {
        const known = await pool.knownReports(ask.attach.inventory);
        return {
          kind: "attached",
          number: ask.number,
          incarnation: ask.attach.incarnation,
          answer: await pool.run("attach", { ...ask.attach, known }),
        };
      }
      case "renew": {
        const known = await pool.knownReports(ask.renew.inventory);
        return {
          kind: "renewed",
          number: ask.number,
          incarnation: ask.renew.incarnation,
          answer: await pool.run("renew", { ...ask.renew, known }),
        };
      }
      case "starts":
        await pool.run("starts", ask.starts);
        return undefined;
      case "complete": {
        const verdicts = await pool.complete(ask.runner, ask.incarnation, this.admitted(ask.incarnation, ask.items));
        if (ask.incarnation === undefined || "refused" in verdicts) return undefined;
        const results = ask.items.map(({ lease }, i) => ({ lease, verdict: verdicts[i] ?? ("REREAD" as const) }));
        return { kind: "completed", incarnation: ask.incarnation, results };
      }
      case "detach":
        return {
          kind: "detached",
          incarnation: ask.incarnation,
          refused: (await pool.run("detach", ask)) !== undefined,
        };
      case "bids":
        return this.bid(from, ask.session, ask.bids);
      case "withdraw":
        return void (await pool.run("withdraw", { attempts: ask.attempts }));
      case "sessionEnd":
        return void (await pool.run("withdrawSession", { session: ask.session }));
      case "events": {
        await pool.read(() => undefined);
        return { kind: "events", after: ask.after, page: await readEvents(this.store, ask.after, 50, pool.position) };
      }
      case "acknowledge":
        return void (await pool.run("acknowledge", { position: ask.position }));
      case "forbid":
        return { kind: "forbidden", attempts: ask.attempts, results: await pool.forbid(ask.attempts, "cancelled") };
      case "setLimit":
        await pool.run("createLimit", { spec: ask.spec, requestId: "" });
        return void (await pool.run("updateLimit", { name: ask.spec.name, patch: ask.spec, etag: "" }));
      case "setPool":
        return void (await pool.run("updatePool", { name: ask.name, patch: ask.patch, etag: "" }));
    }
  }

  /** As the stream of bids does: of a bid that merely stands nothing is said. */
  private async bid(from: string, session: string, bids: readonly Bid[]): Promise<Reply | undefined> {
    for (const bid of bids) this.bidders.set(attemptKey(bid.task, bid.attempt), from);
    const results = (await this.pool.bid(session, bids)).filter(({ verdict }) => verdict !== "STANDING");
    const told = results.map((result) =>
      result.verdict === "GRANTED" ? { ...result, lease: this.told(result.lease) } : result,
    );
    return told.length > 0 ? { kind: "bids", results: told } : undefined;
  }

  /** As the door for completions does: what comes by the bus has to prove its lease's secret. */
  private admitted(incarnation: string | undefined, items: readonly ProvedCompletion[]): readonly ProvedCompletion[] {
    if (incarnation !== undefined || this.bug?.unproved === true) return items;
    return items.filter((item) => isProved(secretOf(this.pool.leaseKey, item.lease), item));
  }

  private told(lease: Lease): ToldLease {
    return { ...lease, secret: secretOf(this.pool.leaseKey, lease.id) };
  }

  /** Tells whoever it concerns what became of a lease. */
  news(event: string, lease: Lease): void {
    const bidder = this.bidders.get(attemptKey(lease.task, lease.attempt));
    if (event === "GRANTED" && bidder !== undefined) {
      this.mouth.say(
        this,
        bidder,
        {
          kind: "bids",
          results: [{ verdict: "GRANTED", key: attemptKey(lease.task, lease.attempt), lease: this.told(lease) }],
        },
        -1,
      );
    } else if (event === "REVOKING") {
      this.mouth.say(
        this,
        lease.runner,
        {
          kind: "revoke",
          incarnation: lease.incarnation,
          revocations: [{ lease: lease.id, token: lease.token, reason: lease.revokeReason }],
        },
        -1,
      );
    } else if (event === "RELEASED") {
      this.bidders.delete(attemptKey(lease.task, lease.attempt));
    }
  }
}
