import type { Bid } from "@berth/pool-manager/internal/domain/bid";
import type { LimitSpec, PoolSpec } from "@berth/pool-manager/internal/domain/catalogue";
import { plainLimit } from "@berth/pool-manager/internal/domain/limits";
import type { Settings } from "@berth/pool-manager/internal/domain/state";
import { runnerTtlMs } from "@berth/pool-manager/internal/domain/time";
import { Random } from "./random.js";

/** What goes wrong in one seed, and how often. Probabilities are per message or call, waits are means in true milliseconds; 0 for never. */
export interface Faults {
  readonly loss: number;
  readonly double: number;
  readonly late: number;
  readonly lateMs: number;
  readonly cutEveryMs: number;
  readonly commitFails: number;
  readonly commitUnknown: number;
  readonly storeAwayEveryMs: number;
  readonly managerKillEveryMs: number;
  readonly managerPauseEveryMs: number;
  readonly takeoverEveryMs: number;
  readonly runnerKillEveryMs: number;
  readonly runnerPauseEveryMs: number;
  readonly runnerDrainEveryMs: number;
  readonly schedulerRestartEveryMs: number;
  readonly cancelEveryMs: number;
  readonly limitChangeEveryMs: number;
  readonly wallStepEveryMs: number;
  readonly staleEveryMs: number;
  /** A runner's program has other handlers from then on. */
  readonly handlersEveryMs: number;
  /** Largest error of a clock's rate. Above 0.01 the assumption of S2 is broken, and S2 isn't checked. */
  readonly drift: number;
}

/** A task of the simulated registry. */
export interface TaskPlan {
  readonly task: string;
  readonly bid: Omit<Bid, "task" | "attempt" | "readyMs" | "traceParent">;
  /** True milliseconds from the beginning. */
  readonly submitMs: number;
  readonly runMs: number;
  readonly failures: number;
}

/** What running a lease would be. */
export interface RunPlan {
  readonly ms: number;
  readonly fails: boolean;
  /** Handler that it needs; empty for none. */
  readonly handler: string;
}

/** A runner. */
export interface RunnerPlan {
  readonly name: string;
  readonly pools: readonly string[];
  readonly capacity: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Handlers of its program at first, and again once all faults are over. */
  readonly handlers: readonly string[];
}

/** Everything about one seed that is decided beforehand. */
export interface Plan {
  readonly seed: number;
  readonly faults: Faults;
  readonly settings: Settings;
  readonly killMs: number;
  readonly latenessMs: number;
  readonly runnerTtlMs: number;
  readonly chaosMs: number;
  readonly schedulers: number;
  readonly checkpointAfterGroups: number;
  readonly limits: readonly LimitSpec[];
  readonly pools: readonly PoolSpec[];
  readonly runners: readonly RunnerPlan[];
  readonly tasks: readonly TaskPlan[];
}

/** All the handlers that there are; a seed has none or some. */
export const handlerNames = ["resize", "encode"] as const;

/** Swarm testing: a seed takes some of the faults only, with rates of its own, so that none hides another. */
export function planOf(seed: number): Plan {
  const random = new Random(seed ^ 0x5eed);
  // One seed of three, from a stream of its own, so that whatever the others once found stays where it was found.
  const handlers = seed % 3 === 2 ? new Random(seed ^ 0x4a4d) : undefined;
  const some = (from: number, to: number): number => (random.chance(0.5) ? random.between(from, to) : 0);
  const ttlMs = random.pick([1_000, 2_000, 4_000]);
  const every = (from: number, to: number): number => (random.chance(0.5) ? random.between(from, to) * ttlMs : 0);
  const faults: Faults = {
    loss: some(0.01, 0.25),
    double: some(0.01, 0.3),
    late: some(0.01, 0.3),
    lateMs: random.pick([20, 200, ttlMs]),
    cutEveryMs: every(1, 6),
    commitFails: some(0.01, 0.2),
    commitUnknown: some(0.01, 0.2),
    storeAwayEveryMs: every(3, 10),
    managerKillEveryMs: every(2, 10),
    managerPauseEveryMs: every(2, 10),
    takeoverEveryMs: every(2, 8),
    runnerKillEveryMs: every(1, 6),
    runnerPauseEveryMs: every(1, 6),
    runnerDrainEveryMs: every(4, 10),
    schedulerRestartEveryMs: every(1, 6),
    cancelEveryMs: every(0.5, 3),
    limitChangeEveryMs: every(0.5, 3),
    wallStepEveryMs: every(1, 5),
    staleEveryMs: every(0.2, 2),
    handlersEveryMs: handlers?.chance(0.7) ? handlers.between(0.5, 3) * ttlMs : 0,
    drift: random.pick([0, 0.01, 0.01, 0.01, random.chance(0.25) ? 0.1 : 0.01]),
  };
  const killMs = ttlMs / 10;
  const latenessMs = ttlMs / 40;
  const settings: Settings = {
    ttlMs,
    lateWaitMs: random.pick([1, ttlMs / 20, ttlMs / 2]),
    assignTimeoutMs: ttlMs / random.pick([2, 4]),
    overtakeLimit: random.pick([2, 20, 1_000]),
    remembered: random.pick([1, 5, 1_000]),
    standingMax: 1_000,
  };
  const pools = poolsOf(random);
  const limits = limitsOf(random);
  return {
    seed,
    faults,
    settings,
    killMs,
    latenessMs,
    pools,
    limits,
    runnerTtlMs: runnerTtlMs({ heartbeatTimeoutMs: ttlMs, killTimeMs: killMs, timerLatenessMs: latenessMs }),
    chaosMs: ttlMs * random.between(5, 10),
    schedulers: random.chance(0.2) ? 2 : 1,
    checkpointAfterGroups: random.pick([1, 8, 64, 512]),
    runners: runnersOf(random, pools, handlers),
    tasks: tasksOf(random, pools, limits, ttlMs, handlers),
  };
}

function poolsOf(random: Random): PoolSpec[] {
  const pool = (name: string): PoolSpec => ({
    name,
    type: "REMOTE",
    maxConcurrency: random.int(1, 5),
    cpuMillis: random.chance(0.3) ? 4 : 0,
    memoryBytes: 0,
    slots: random.chance(0.2) ? [`${name}-x`, `${name}-y`, `${name}-z`] : [],
    skills: [],
    paused: false,
    reason: "",
  });
  return random.chance(0.5) ? [pool("a"), pool("b")] : [pool("a")];
}

function limitsOf(random: Random): LimitSpec[] {
  const limits = [plainLimit("global", random.int(1, 8)), plainLimit("named", random.int(2, 4))].map((limit) => ({
    ...limit,
    capacity: limit.capacity,
  }));
  if (random.chance(0.3))
    limits[0] = {
      ...(limits[0] as LimitSpec & (typeof limits)[0]),
      reserve: 1,
      reservePriority: 5,
      capacity: random.int(2, 8),
    };
  if (random.chance(0.2)) limits[1] = { ...(limits[1] as (typeof limits)[0]), rate: 2, ratePeriodMs: 300 };
  if (random.chance(0.3)) limits.push(plainLimit("tenant:t", random.int(1, 3)));
  return limits.map(({ version: _version, requestId: _requestId, ...spec }) => spec);
}

function runnersOf(random: Random, pools: readonly PoolSpec[], handlers: Random | undefined): RunnerPlan[] {
  return Array.from({ length: random.int(1, 5) }, (_, i) => ({
    name: `r${i + 1}`,
    // The first takes everything, so that every task can run somewhere.
    pools: i === 0 ? pools.map(({ name }) => name) : [random.pick(pools).name],
    capacity: random.int(1, 4),
    labels: labelsOf(i === 0 || random.chance(0.3)),
    handlers: i === 0 ? handlerNames : someHandlers(handlers),
  }));
}

/** Some of the handlers, maybe none. */
export function someHandlers(random: Random | undefined): string[] {
  return handlerNames.filter(() => random?.chance(0.4));
}

function labelsOf(gpu: boolean): Record<string, string> {
  return gpu ? { gpu: "yes" } : {};
}

function tasksOf(
  random: Random,
  pools: readonly PoolSpec[],
  limits: readonly LimitSpec[],
  ttlMs: number,
  handlers: Random | undefined,
): TaskPlan[] {
  const named = limits[1]?.capacity ?? 1;
  return Array.from({ length: random.int(8, 24) }, (_, i) => ({
    task: `set/t${i + 1}`,
    bid: {
      pools: random.chance(0.3) ? pools.map(({ name }) => name) : [random.pick(pools).name],
      labels: labelsOf(random.chance(0.2)),
      weights: random.chance(0.4) ? [["named", random.int(1, Math.min(2, named))] as const] : [],
      tenant: random.pick(["", "t", "u"]),
      rank: random.int(0, 3),
      cpuMillis: random.pick([0, 1, 2]),
      memoryBytes: 0,
      runner: "",
      priority: random.pick([0, 0, 9]),
      overtaken: 0,
      handler: handlers?.chance(0.5) ? handlers.pick(handlerNames) : "",
    },
    submitMs: random.chance(0.5) ? 0 : random.between(0, ttlMs * 5),
    runMs: random.chance(0.3) ? random.spread(20) : random.spread(ttlMs),
    failures: random.chance(0.15) ? random.int(1, 2) : 0,
  }));
}
