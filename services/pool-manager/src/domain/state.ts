import type { Now } from "@berth/chassis/engine";
import type { Change, Meta, RunnerRecord } from "./changes.js";
import { Ledger } from "./ledger.js";
import { type Limit, Starts } from "./limits.js";
import type { LimitChange, Pool } from "./pool.js";
import { Recent } from "./recent.js";
import { Standing } from "./standing.js";

/** The bounds that the rules depend on. Durations in milliseconds. */
export interface Settings {
  /** Silence after which a runner counts as lost: TTL_server. */
  readonly ttlMs: number;
  /** Wait for late results after that. */
  readonly lateWaitMs: number;
  /** Longest time that a lease may be missing in its runner's inventory. */
  readonly assignTimeoutMs: number;
  /** Overtakings after which capacity is kept for a bid. */
  readonly overtakeLimit: number;
  /** Released leases kept in memory. */
  readonly remembered: number;
  /** Most bids that may stand. */
  readonly standingMax: number;
}

/** One decision under way: its moment and what it has changed so far. */
export interface Turn {
  readonly now: Now;
  readonly changes: Change[];
}

/** A runner process that is attached, or was and still holds leases. */
export interface Session {
  record: RunnerRecord;
  /** Interval clock when it counts as lost. */
  deadlineMs: number;
  /** Interval clock when it was last heard of, moved back by silence from before a restart. */
  heardMs: number;
  /** True once its deadline was put off by the brake; cleared when it is heard of. */
  extended: boolean;
  /** Lowest numbered slot that may be free. */
  slotHint: number;
}

/** Why granting has stopped after a pause or a mass expiry: until everybody was heard of again, at the latest until `untilMs`. */
export interface Brake {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly text: string;
}

/** Everything that the pool-manager knows. */
export class State {
  readonly settings: Settings;
  readonly ledger = new Ledger();
  readonly recent: Recent;
  readonly standing: Standing;
  readonly limits = new Map<string, Limit>();
  readonly pools = new Map<string, Pool>();
  readonly sessions = new Map<string, Session>();
  readonly sessionsByPool = new Map<string, Set<Session>>();
  readonly tombstones = new Map<string, number>();
  readonly starts = new Starts();
  /** Limit changes whose row isn't committed yet. */
  readonly unwrittenChanges = new Map<string, LimitChange>();
  meta: Meta = {
    dataId: "",
    granted: 0,
    released: 0,
    horizonMs: 0,
    acknowledged: 0,
    version: 0,
    limitChanges: 0,
    seeded: [],
  };
  /** Leases granted and released: changed with every lease, so apart from the rest; `figures` puts them together. */
  readonly totals = { granted: 0, released: 0 };
  /** Difference that the auditor found; granting has stopped unless it is 0. */
  drift = 0;
  brake: Brake | undefined;
  lastTickMs: number | undefined;
  /** Effects with a stale token that were refused since the start. */
  staleRefused = 0;

  constructor(settings: Settings) {
    this.settings = settings;
    this.recent = new Recent(settings.remembered);
    this.standing = new Standing(settings.overtakeLimit);
  }

  /** Why granting has stopped; empty while it hasn't. */
  get stopReason(): string {
    if (this.drift !== 0) {
      return `the audit found a difference of ${this.drift} between the counts and the rows: restart the pool-manager, which rebuilds the counts from the rows`;
    }
    return this.brake?.text ?? "";
  }

  /** Sets the figures and notes the change. */
  setMeta(turn: Turn, patch: Partial<Meta>): void {
    this.meta = { ...this.meta, ...patch };
    turn.changes.push({ k: "meta", meta: this.figures });
  }

  /** The figures as they are written: with the totals. */
  get figures(): Meta {
    return { ...this.meta, ...this.totals };
  }
}
