import type { Now } from "@berth/chassis/engine";
import type { PoolSpec } from "./catalogue.js";
import { type Limit, plainLimit } from "./limits.js";
import { type LimitStatus, limitNames, type Pool } from "./pool.js";
import { poolSpec } from "./pool-catalogue.js";
import { takesWork } from "./runners.js";
import type { Session, State } from "./state.js";

/** A pool with its counts. */
export interface PoolStatus extends PoolSpec {
  readonly version: number;
  readonly running: number;
  readonly standing: number;
  readonly runners: number;
}

/** What a change of a pool is answered with: the pool and its own limit, as the decision left them. */
export interface PoolAnswer {
  readonly pool: PoolStatus;
  readonly limit: LimitStatus;
}

/** A runner with its counts. */
export interface RunnerStatus {
  readonly runner: string;
  readonly incarnation: string;
  readonly pools: readonly string[];
  readonly capacity: number;
  readonly running: number;
  readonly labels: Readonly<Record<string, string>>;
  /** By name. */
  readonly handlers: readonly string[];
  readonly state: "LIVE" | "DRAINING" | "LOST";
  readonly silenceMs: number;
}

/** Everything at one moment, so that one answer always agrees with itself. */
export interface Status {
  readonly limits: readonly LimitStatus[];
  readonly pools: readonly PoolStatus[];
  readonly runners: readonly RunnerStatus[];
  readonly running: number;
  readonly started: number;
  readonly drift: number;
  readonly stopReason: string;
  readonly standing: number;
  readonly granted: number;
  readonly released: number;
  readonly overtakenMax: number;
  readonly overtakeLimit: number;
  readonly version: number;
}

const byName = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

/** Reads everything. */
export function statusOf(state: State, now: Now): Status {
  const standing = new Map<string, number>();
  let overtakenMax = 0;
  for (const queue of state.standing.all) {
    for (const { pool } of queue.demand.pools) standing.set(pool, (standing.get(pool) ?? 0) + queue.size);
    overtakenMax = Math.max(overtakenMax, (queue.firstDue() ?? queue.head())?.overtaken ?? 0);
  }
  return {
    limits: limitsOf(state),
    pools: [...state.pools.keys()].sort(byName).map((name) => poolOf(state, name, now, standing.get(name) ?? 0)),
    runners: [...state.sessions.values()]
      .filter(present)
      .map((session) => runnerOf(state, session, now))
      .sort((left, right) => byName(left.runner, right.runner)),
    running: state.ledger.leases.size,
    started: state.ledger.started,
    drift: state.drift,
    stopReason: state.stopReason,
    standing: state.standing.size,
    granted: state.totals.granted,
    released: state.totals.released,
    overtakenMax,
    overtakeLimit: state.settings.overtakeLimit,
    version: state.meta.version,
  };
}

/** A limit with its count. */
export function limitOf(state: State, limit: Limit): LimitStatus {
  return { ...limit, used: state.ledger.used(limit.name) };
}

/** A pool and its own limit. */
export function poolAnswer(state: State, { name }: Pool, now: Now): PoolAnswer {
  const limit = state.limits.get(limitNames.pool(name));
  if (!limit) throw new Error(`pool ${name} has no limit`);
  return { pool: poolOf(state, name, now), limit: limitOf(state, limit) };
}

/** All limits by name, global first; runners' limits and counted tenants without a bound among them. */
export function limitsOf(state: State): LimitStatus[] {
  const limits: LimitStatus[] = [...state.limits.values()].map((limit) => limitOf(state, limit));
  for (const session of state.sessions.values()) {
    if (!present(session)) continue;
    const { runner, capacity } = session.record;
    const name = limitNames.runner(runner);
    limits.push(limitOf(state, plainLimit(name, capacity)));
  }
  const rank = (name: string): string => (name === limitNames.global ? "" : name);
  return limits.sort((left, right) => byName(rank(left.name), rank(right.name)));
}

/** One pool with its counts; `standing` is counted if it isn't given. */
export function poolOf(state: State, name: string, now: Now, standing?: number): PoolStatus {
  const pool = state.pools.get(name);
  if (!pool) throw new Error(`no pool ${name}`);
  let waiting = standing ?? 0;
  if (standing === undefined) {
    for (const queue of state.standing.all)
      if (queue.demand.pools.some((option) => option.pool === name)) waiting += queue.size;
  }
  const runners = [...(state.sessionsByPool.get(name) ?? [])].filter((session) => takesWork(session, now)).length;
  return {
    ...poolSpec(state, pool),
    version: pool.version,
    running: state.ledger.runningByPool.get(name) ?? 0,
    standing: waiting,
    runners,
  };
}

/** A runner that has detached is gone for everybody but the check of its earlier starts. */
function present({ record }: Session): boolean {
  return record.left !== true;
}

function runnerOf(state: State, { record, heardMs }: Session, now: Now): RunnerStatus {
  const { runner, incarnation, pools, capacity, labels, handlers = [], lost, draining } = record;
  return {
    runner,
    incarnation,
    pools,
    capacity,
    running: state.ledger.countOfRunner(runner),
    labels,
    handlers,
    state: lost ? "LOST" : draining ? "DRAINING" : "LIVE",
    silenceMs: Math.max(0, now.monoMs - heardMs),
  };
}
