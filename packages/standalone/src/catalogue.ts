// Pools and limits: what a file declares against what Berth has.
import { randomUUID } from "node:crypto";
import type { BerthClient } from "@berth/client";
import { wireDuration, wireMs } from "@berth/client/quantities";
import { pool as wire } from "@berth/contracts";
import { type BerthConfig, type DeclaredLimit, type DeclaredPool, declaredLimits, declaredPools } from "./config.js";

/** One thing to do, to make Berth as the file says. */
export interface Step {
  readonly action: "create" | "update";
  readonly kind: "pool" | "limit";
  /** Name of the pool or limit. */
  readonly name: string;
  /** What changes; for a creation, everything that is given, with `from` undefined. */
  readonly changes: readonly Change[];
}

/** One field that changes, as its value is shown to people. */
export interface Change {
  readonly field: string;
  readonly from: string | undefined;
  readonly to: string;
}

/** What a file would change. */
export interface Plan {
  readonly steps: readonly Step[];
  /** Pools and limits that Berth has and the file doesn't name; they stay. */
  readonly kept: readonly string[];
  /** What can't be done, in words. */
  readonly impossible: readonly string[];
}

type Client = Pick<BerthClient, "pools">;

/** One field of the file: its name there is the key, in the order in which a change is shown. */
interface FileField<Declared, Wire> {
  /** Its name in an update_mask. */
  readonly path: string;
  /** What the file says, as people see it. */
  readonly of: (declared: Declared) => string;
  /** What Berth has for good, as people see it. */
  readonly wire: (now: Wire) => string;
  /** What the file says, for the wire. */
  readonly set: (declared: Declared) => Partial<Wire>;
}

const poolFields: Readonly<Record<string, FileField<DeclaredPool, wire.Pool>>> = {
  maxConcurrency: {
    path: "max_concurrency",
    of: (p) => String(p.maxConcurrency),
    wire: (p) => String(p.maxConcurrency),
    set: (p) => ({ maxConcurrency: BigInt(p.maxConcurrency) }),
  },
  cpu: {
    path: "cpu_millis",
    of: (p) => `${p.cpuMillis}m`,
    wire: (p) => `${p.cpuMillis}m`,
    set: (p) => ({ cpuMillis: BigInt(p.cpuMillis) }),
  },
  memory: {
    path: "memory_bytes",
    of: (p) => `${p.memoryBytes}B`,
    wire: (p) => `${p.memoryBytes}B`,
    set: (p) => ({ memoryBytes: BigInt(p.memoryBytes) }),
  },
  slots: { path: "slots", of: (p) => list(p.slots), wire: (p) => list(p.slots), set: (p) => ({ slots: [...p.slots] }) },
  skills: {
    path: "skills",
    of: (p) => list(p.skills),
    wire: (p) => list([...p.skills].sort()),
    set: (p) => ({ skills: [...p.skills] }),
  },
  paused: {
    path: "paused",
    of: (p) => String(p.paused),
    wire: (p) => String(p.paused),
    set: ({ paused }) => ({ paused }),
  },
};
const limitFields: Readonly<Record<string, FileField<DeclaredLimit, wire.Limit>>> = {
  capacity: {
    path: "capacity",
    of: (l) => String(l.capacity),
    wire: (l) => String(lastingCapacity(l)),
    set: (l) => ({ capacity: BigInt(l.capacity) }),
  },
  reserve: {
    path: "reserve",
    of: (l) => String(l.reserve),
    wire: (l) => String(l.reserve),
    set: (l) => ({ reserve: BigInt(l.reserve) }),
  },
  reservePriority: {
    path: "reserve_priority",
    of: (l) => String(l.reservePriority),
    wire: (l) => String(l.reservePriority),
    set: ({ reservePriority }) => ({ reservePriority }),
  },
  rate: {
    path: "rate",
    of: (l) => String(l.rate),
    wire: (l) => String(l.rate),
    set: (l) => ({ rate: BigInt(l.rate) }),
  },
  ratePeriod: {
    path: "rate_period",
    of: (l) => `${l.ratePeriodMs}ms`,
    wire: (l) => `${wireMs(l.ratePeriod) ?? 0}ms`,
    set: (l) => (l.ratePeriodMs === 0 ? {} : { ratePeriod: wireDuration(l.ratePeriodMs) }),
  },
};

/** Compares a file with what Berth has. Takes nothing and changes nothing. */
export async function planCatalogue(config: BerthConfig, client: Client): Promise<Plan> {
  const status = await client.pools.getStatus({});
  const pools = new Map(status.pools.map((each) => [each.pool, each]));
  const limits = new Map(status.limits.map((each) => [each.limit, each]));
  const steps: Step[] = [];
  const impossible: string[] = [];
  for (const pool of declaredPools(config)) {
    const now = pools.get(pool.pool);
    if (now !== undefined && now.type !== wireType(pool.type))
      impossible.push(`the type of pool ${pool.pool} can't be changed: choose another name for a ${pool.type} pool`);
    push(steps, "pool", pool.pool, now && lastingPool(now, limits), pool, poolFields);
  }
  for (const limit of declaredLimits(config))
    push(steps, "limit", limit.limit, limits.get(limit.limit), limit, limitFields);
  const named = new Set([
    ...declaredPools(config).map((each) => each.pool),
    ...declaredLimits(config).map((each) => each.limit),
  ]);
  const own = [...limits.keys()].filter((limit) => !/^(pool|runner|tenant|set):/.test(limit));
  const kept = [
    ...[...pools.keys()].map((each) => [each, `pool ${each}`]),
    ...own.map((each) => [each, `limit ${each}`]),
  ];
  return { steps, impossible, kept: kept.filter(([name]) => !named.has(name ?? "")).map(([, words]) => words ?? "") };
}

/** A file says what is for good: a temporary capacity is no difference. */
function lastingCapacity({ capacity, expireTime, revertCapacity }: wire.Limit): bigint {
  return expireTime === undefined ? capacity : (revertCapacity ?? capacity);
}

/** A pool with the bounds that are for good. */
function lastingPool(pool: wire.Pool, limits: ReadonlyMap<string, wire.Limit>): wire.Pool {
  const bound = (limit: string, now: bigint): bigint => {
    const found = limits.get(limit);
    return found === undefined ? now : lastingCapacity(found);
  };
  return {
    ...pool,
    maxConcurrency: bound(`pool:${pool.pool}`, pool.maxConcurrency),
    cpuMillis: bound(`pool:${pool.pool}:cpu`, pool.cpuMillis),
    memoryBytes: bound(`pool:${pool.pool}:memory`, pool.memoryBytes),
  };
}

function push<Declared, Now>(
  steps: Step[],
  kind: Step["kind"],
  name: string,
  now: Now | undefined,
  declared: Declared,
  fields: Readonly<Record<string, FileField<Declared, Now>>>,
): void {
  const all = Object.entries(fields).map(([field, { of, wire }]) => ({
    field,
    from: now === undefined ? undefined : wire(now),
    to: of(declared),
  }));
  const changes =
    now === undefined
      ? all.filter((each) => !/^(0(m|B|ms)?|false|none)$/.test(each.to) || each.field === "maxConcurrency")
      : all.filter((each) => each.from !== each.to);
  if (now === undefined || changes.length > 0)
    steps.push({ action: now === undefined ? "create" : "update", kind, name, changes });
}

/** Does the steps, one after the other; each is a change of its own, audited with `reason`. */
export async function applyPlan(
  config: BerthConfig,
  steps: readonly Step[],
  client: Client,
  reason: string,
): Promise<void> {
  const pools = new Map(declaredPools(config).map((each) => [each.pool, wirePool(each, reason)]));
  const limits = new Map(declaredLimits(config).map((each) => [each.limit, wireLimit(each, reason)]));
  for (const step of steps) {
    const pool = step.kind === "pool" ? pools.get(step.name) : undefined;
    const limit = step.kind === "limit" ? limits.get(step.name) : undefined;
    const mask = (fields: Readonly<Record<string, { readonly path: string }>>) => [
      ...step.changes.map((each) => fields[each.field]?.path ?? each.field),
      "reason",
    ];
    if (pool !== undefined && step.action === "create")
      await client.pools.createPool({ pool, requestId: randomUUID() });
    else if (pool !== undefined) await client.pools.updatePool({ pool, updateMask: mask(poolFields) });
    else if (limit !== undefined && step.action === "create")
      await client.pools.createLimit({ limit, requestId: randomUUID() });
    else if (limit !== undefined) await client.pools.updateLimit({ limit, updateMask: mask(limitFields) });
  }
}

/** A step in one line, such as `~ pool default: maxConcurrency 4 -> 8`. */
export function describeStep(step: Step): string {
  const changes = step.changes.map((each) =>
    each.from === undefined ? `${each.field} ${each.to}` : `${each.field} ${each.from} -> ${each.to}`,
  );
  return `${step.action === "create" ? "+" : "~"} ${step.kind} ${step.name}: ${changes.join(", ")}`;
}

function wireType(type: DeclaredPool["type"]): wire.Pool_Type {
  const types = { "local-process": "LOCAL_PROCESS", remote: "REMOTE" } as const;
  return wire.Pool_Type[types[type]];
}

function wirePool(pool: DeclaredPool, reason: string): wire.Pool {
  const set = Object.values(poolFields).map((field) => field.set(pool));
  return wire.Pool.fromPartial(Object.assign({ pool: pool.pool, type: wireType(pool.type), reason }, ...set));
}

function wireLimit(limit: DeclaredLimit, reason: string): wire.Limit {
  const set = Object.values(limitFields).map((field) => field.set(limit));
  return wire.Limit.fromPartial(Object.assign({ limit: limit.limit, reason }, ...set));
}

function list(items: readonly string[]): string {
  return items.length === 0 ? "none" : items.join(" ");
}
