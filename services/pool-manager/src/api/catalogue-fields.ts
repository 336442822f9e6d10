import { FieldCheck, limitPattern } from "@berth/chassis/grpc";
import { pool as wire } from "@berth/contracts";
import { limitBounds } from "../domain/bounds.js";
import type { LimitSpec, PoolSpec } from "../domain/catalogue.js";
import type { PoolType } from "../domain/pool.js";

const types: Partial<Record<wire.Pool_Type, PoolType>> = {
  [wire.Pool_Type.UNSPECIFIED]: "LOCAL_PROCESS",
  [wire.Pool_Type.LOCAL_PROCESS]: "LOCAL_PROCESS",
  [wire.Pool_Type.DOCKER]: "DOCKER",
  [wire.Pool_Type.KUBERNETES]: "KUBERNETES",
  [wire.Pool_Type.REMOTE]: "REMOTE",
};
const slotPattern = /^[a-zA-Z0-9/][a-zA-Z0-9/._-]{0,254}$/;
/** Types that have no executor yet; pools that older versions made of them stay as they are. */
const notBuilt: ReadonlySet<wire.Pool_Type> = new Set([wire.Pool_Type.DOCKER, wire.Pool_Type.KUBERNETES]);
const { unitsMax, poolConcurrencyMax, rateMax, ratePeriodMinMs, ratePeriodMaxMs, temporaryMaxMs } = limitBounds;

/** Checks a pool's fields. */
export function checkPool(pool: wire.Pool): void {
  const check = new FieldCheck()
    .name("pool.pool", pool.pool)
    .that(types[pool.type] !== undefined, "pool.type", `${pool.type} isn't a type that this version knows`);
  check.range("pool.max_concurrency", pool.maxConcurrency, 0, poolConcurrencyMax);
  check.range("pool.cpu_millis", pool.cpuMillis, 0, unitsMax).range("pool.memory_bytes", pool.memoryBytes, 0, unitsMax);
  check
    .length("pool.slots", pool.slots, 0, 10_000)
    .length("pool.skills", pool.skills, 0, 64)
    .length("pool.reason", pool.reason, 0, 1_024);
  for (const [i, slot] of pool.slots.entries()) check.name(`pool.slots[${i}]`, slot, slotPattern);
  for (const [i, skill] of pool.skills.entries()) check.name(`pool.skills[${i}]`, skill);
  check.throwIfAny();
}

/** Checks the fields of a pool that is to be created. */
export function checkNewPool(pool: wire.Pool): void {
  checkPool(pool);
  const type = poolTypeName(pool.type);
  new FieldCheck()
    .that(!notBuilt.has(pool.type), "pool.type", `${type} isn't built yet: create a local-process or a remote pool`)
    .throwIfAny();
}

function poolTypeName(type: wire.Pool_Type): string {
  return type.replace(/^TYPE_/, "").toLowerCase();
}

/** Checks a limit's fields, each by itself; what they must be together is the domain's to say. */
export function checkLimit(limit: wire.Limit): void {
  const check = new FieldCheck()
    .name("limit.limit", limit.limit, limitPattern)
    .range("limit.capacity", limit.capacity, 0, unitsMax);
  check
    .range("limit.reserve", limit.reserve, 0, unitsMax)
    .range("limit.rate", limit.rate, 0, rateMax)
    .length("limit.reason", limit.reason, 0, 1_024);
  if (limit.revertCapacity !== undefined) check.range("limit.revert_capacity", limit.revertCapacity, 0, unitsMax);
  if (limit.expireTime !== undefined)
    check.that(!Number.isNaN(limit.expireTime.getTime()), "limit.expire_time", "isn't a time from 1970 to 9999");
  if (limit.rate > 0n || limit.ratePeriod !== undefined)
    check.range("limit.rate_period", periodMs(limit), ratePeriodMinMs, ratePeriodMaxMs);
  check.throwIfAny();
}

/** Checks how an update is to be made, and gives the time for which its capacity is to hold; undefined if it doesn't say. */
export function temporaryMs({ limit, duration, endTemporary }: wire.UpdateLimitRequest): number | undefined {
  if (duration === undefined) return undefined;
  const forMs = Number(duration.seconds) * 1_000 + Math.round(duration.nanos / 1e6);
  new FieldCheck()
    .range("duration", forMs, 1, temporaryMaxMs)
    .that(limit?.expireTime === undefined, "duration", "and limit.expire_time say the same: give one of them")
    .that(!endTemporary, "duration", "contradicts end_temporary: give one of them")
    .throwIfAny();
  return forMs;
}

function periodMs({ ratePeriod }: wire.Limit): number {
  return ratePeriod ? Number(ratePeriod.seconds) * 1_000 + Math.round(ratePeriod.nanos / 1e6) : 0;
}

/** A pool from the wire. */
export function poolSpec(pool: wire.Pool): PoolSpec {
  return {
    name: pool.pool,
    type: types[pool.type] ?? "LOCAL_PROCESS",
    maxConcurrency: Number(pool.maxConcurrency),
    cpuMillis: Number(pool.cpuMillis),
    memoryBytes: Number(pool.memoryBytes),
    slots: pool.slots,
    skills: pool.skills,
    paused: pool.paused,
    reason: pool.reason,
  };
}

/** A limit from the wire. */
export function limitSpec(limit: wire.Limit): LimitSpec {
  return {
    name: limit.limit,
    capacity: Number(limit.capacity),
    reserve: Number(limit.reserve),
    reservePriority: limit.reservePriority,
    rate: Number(limit.rate),
    ratePeriodMs: limit.ratePeriod === undefined ? ratePeriodMinMs : periodMs(limit),
    ...(limit.expireTime && { expireMs: limit.expireTime.getTime() }),
    ...(limit.revertCapacity !== undefined && { revertCapacity: Number(limit.revertCapacity) }),
    reason: limit.reason,
  };
}

const poolFields: Readonly<Record<string, keyof PoolSpec>> = {
  max_concurrency: "maxConcurrency",
  cpu_millis: "cpuMillis",
  memory_bytes: "memoryBytes",
  slots: "slots",
  skills: "skills",
  paused: "paused",
  reason: "reason",
};
const limitFields: Readonly<Record<string, keyof LimitSpec>> = {
  capacity: "capacity",
  expire_time: "expireMs",
  revert_capacity: "revertCapacity",
  reason: "reason",
  reserve: "reserve",
  reserve_priority: "reservePriority",
  rate: "rate",
  rate_period: "ratePeriodMs",
};

/** What an update of a pool sets. */
export function poolPatch(pool: wire.Pool, mask: readonly string[] | undefined): Partial<PoolSpec> {
  return masked(poolSpec(pool), poolFields, mask);
}

/** What an update of a limit sets. */
export function limitPatch(limit: wire.Limit, mask: readonly string[] | undefined): Partial<LimitSpec> {
  const spec = limitSpec(limit);
  const patch = masked(spec, limitFields, mask);
  if (mask !== undefined && mask.length > 0) return patch;
  // Presence counts here, not the value: 0 after a temporary capacity is a capacity, and a period goes with the rate.
  const { expireMs, revertCapacity } = spec;
  if (limit.ratePeriod === undefined) Reflect.deleteProperty(patch, "ratePeriodMs");
  return {
    ...patch,
    ...(expireMs !== undefined && { expireMs }),
    ...(revertCapacity !== undefined && { revertCapacity }),
  };
}

/** The fields that the mask names; all for "*"; without a mask those that are populated. */
function masked<Spec extends object>(
  spec: Spec,
  fields: Readonly<Record<string, keyof Spec>>,
  mask: readonly string[] | undefined,
): Partial<Spec> {
  const all = Object.keys(fields);
  const unknown = (mask ?? []).filter((path) => path !== "*" && fields[path] === undefined);
  new FieldCheck()
    .that(unknown.length === 0, "update_mask", `${unknown.join(", ")} can't be updated: choose from ${all.join(", ")}`)
    .throwIfAny();
  const populated = (path: string): boolean => {
    const value = spec[fields[path] as keyof Spec];
    return Array.isArray(value) ? value.length > 0 : Boolean(value);
  };
  const paths = !mask || mask.length === 0 ? all.filter(populated) : mask.includes("*") ? all : mask;
  const patch: Partial<Spec> = {};
  for (const path of paths) {
    const field = fields[path] as keyof Spec;
    patch[field] = spec[field];
  }
  return patch;
}
