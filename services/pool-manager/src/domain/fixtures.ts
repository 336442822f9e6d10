import type { Bid } from "./bid.js";
import type { Change } from "./changes.js";
import type { AnswerOf, Command, CommandKind, CommandOf } from "./commands.js";
import { PoolCore } from "./core.js";
import type { Lease, Outcome } from "./lease.js";
import { plainLimit } from "./limits.js";
import type { Settings } from "./state.js";

export const settings: Settings = {
  ttlMs: 1_000,
  lateWaitMs: 100,
  assignTimeoutMs: 500,
  overtakeLimit: 1_000_000,
  remembered: 50,
  standingMax: 1_000,
};
export const known = { leases: [], mark: Number.MAX_SAFE_INTEGER };
export const succeeded: Outcome = {
  result: "SUCCEEDED",
  exitCode: 0,
  signal: "",
  message: "",
  resultJson: "",
  permanent: false,
  outputBytes: 0,
  endMs: 5,
};

export function bid(task: string, more: Partial<Bid> = {}): Bid {
  return {
    task,
    attempt: 1,
    pools: ["a"],
    labels: {},
    weights: [],
    tenant: "",
    rank: 0,
    cpuMillis: 0,
    memoryBytes: 0,
    runner: "",
    priority: 0,
    readyMs: 0,
    traceParent: "",
    overtaken: 0,
    handler: "",
    ...more,
  };
}

export function pool(name: string, maxConcurrency: number) {
  return {
    name,
    type: "REMOTE" as const,
    maxConcurrency,
    cpuMillis: 0,
    memoryBytes: 0,
    slots: [],
    skills: [],
    paused: false,
    reason: "",
  };
}

/** A core with a clock of its own, that keeps every change it made. */
export class Bench {
  readonly core: PoolCore;
  readonly changes: Change[] = [];
  nowMs = 0;

  constructor(more: Partial<Settings> = {}, capacities: { global?: number; a?: number; b?: number } = {}) {
    this.core = new PoolCore({ ...settings, ...more });
    const { global = 10, a = 10, b = 10 } = capacities;
    this.do("begin", {
      dataId: "d",
      leaseKey: "00",
      limits: [plainLimit("global", global), plainLimit("x", 3)],
      pools: [pool("a", a), pool("b", b)],
    });
  }

  get state() {
    return this.core.state;
  }

  do<Kind extends CommandKind>(kind: Kind, takes: Omit<CommandOf<Kind>, "kind">): AnswerOf<Kind> {
    const { outcome, changes } = this.core.decide({ kind, ...takes } as unknown as Command, {
      monoMs: this.nowMs,
      wallMs: 1_000_000 + this.nowMs,
    });
    this.changes.push(...changes);
    for (const change of changes) {
      const key = this.core.rowKey(change);
      if (key !== undefined && this.core.row(key)?.final) this.core.written(key);
    }
    return outcome as AnswerOf<Kind>;
  }

  attach(
    runner: string,
    more: {
      capacity?: number;
      pools?: string[];
      incarnation?: string;
      labels?: Record<string, string>;
      handlers?: readonly string[];
    } = {},
  ) {
    const { capacity = 4, pools = ["a", "b"], incarnation = `${runner}-1`, labels = {}, handlers = [] } = more;
    return this.do("attach", {
      runner,
      incarnation,
      pools,
      capacity,
      labels,
      handlers,
      startNumber: 0,
      earlierProcessesDead: true,
      inventory: [],
      known,
    });
  }

  renew(runner: string, incarnation = `${runner}-1`, inventory: readonly Lease[] = this.held()) {
    const reports = inventory
      .filter((lease) => lease.runner === runner)
      .map((lease) => ({ lease: lease.id, token: lease.token, state: "RUNNING" as const }));
    return this.do("renew", { runner, incarnation, inventory: reports, draining: false, refused: [], known });
  }

  bids(...bids: Bid[]) {
    return this.do("bids", { session: "s", bids, known });
  }

  complete(lease: Lease, outcome: Outcome = succeeded, more: { token?: number; incarnation?: string } = {}) {
    const answer = this.do("complete", {
      runner: lease.runner,
      incarnation: more.incarnation,
      items: [{ lease: lease.id, token: more.token ?? lease.token, outcome }],
      known,
    });
    return "verdicts" in answer ? answer.verdicts[0] : answer.refused;
  }

  held(): Lease[] {
    return [...this.state.ledger.leases.values()].map(({ lease }) => lease);
  }

  tasks(): string[] {
    return this.held().map(({ task }) => task);
  }
}
