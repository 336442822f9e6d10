import { FieldCheck } from "@berth/chassis/grpc";
import { pool as wire } from "@berth/contracts";
import { limitBounds } from "../domain/bounds.js";
import type { PoolSpec } from "../domain/catalogue.js";
import type { PoolType } from "../domain/pool.js";
import { type Field, patchOf, specOf, wireOf } from "./fields.js";

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
const { unitsMax, poolConcurrencyMax } = limitBounds;

type PoolField = Field<wire.Pool, PoolSpec>;

/** The fields of a pool that may be changed; their order is part of the digest that tells a repeated creation from another one. */
const fields: readonly PoolField[] = [
  units("max_concurrency", "maxConcurrency", poolConcurrencyMax),
  units("cpu_millis", "cpuMillis", unitsMax),
  units("memory_bytes", "memoryBytes", unitsMax),
  names("slots", 10_000, slotPattern),
  names("skills", 64),
  {
    path: "paused",
    check: () => undefined,
    populated: ({ paused }) => paused,
    read: ({ paused }) => ({ paused }),
    write: ({ paused }) => ({ paused }),
  },
  {
    path: "reason",
    check: (check, { reason }) => void check.length("pool.reason", reason, 0, 1_024),
    populated: ({ reason }) => reason !== "",
    read: ({ reason }) => ({ reason }),
    write: ({ reason }) => ({ reason }),
  },
];

function units(path: string, name: "maxConcurrency" | "cpuMillis" | "memoryBytes", max: number): PoolField {
  return {
    path,
    check: (check, pool) => void check.range(`pool.${path}`, pool[name], 0, max),
    populated: (pool) => pool[name] !== 0n,
    read: (pool) => ({ [name]: Number(pool[name]) }),
    write: (spec) => ({ [name]: BigInt(spec[name]) }),
  };
}

function names(path: "slots" | "skills", max: number, pattern?: RegExp): PoolField {
  return {
    path,
    check: (check, pool) => {
      check.length(`pool.${path}`, pool[path], 0, max);
      for (const [i, name] of pool[path].entries()) check.name(`pool.${path}[${i}]`, name, pattern);
    },
    populated: (pool) => pool[path].length > 0,
    read: (pool) => ({ [path]: pool[path] }),
    write: (spec) => ({ [path]: [...spec[path]] }),
  };
}

/** Checks a pool's fields. */
export function checkPool(pool: wire.Pool): void {
  const check = new FieldCheck()
    .name("pool.pool", pool.pool)
    .that(types[pool.type] !== undefined, "pool.type", `${pool.type} isn't a type that this version knows`);
  for (const field of fields) field.check(check, pool);
  check.throwIfAny();
}

/** Checks the fields of a pool that is to be created. */
export function checkNewPool(pool: wire.Pool): void {
  checkPool(pool);
  const type = pool.type.replace(/^TYPE_/, "").toLowerCase();
  new FieldCheck()
    .that(!notBuilt.has(pool.type), "pool.type", `${type} isn't built yet: create a local-process or a remote pool`)
    .throwIfAny();
}

/** A pool from the wire. */
export function poolSpec(pool: wire.Pool): PoolSpec {
  return { name: pool.pool, type: types[pool.type] ?? "LOCAL_PROCESS", ...specOf(fields, pool) } as PoolSpec;
}

/** What an update of a pool sets. */
export function poolPatch(pool: wire.Pool, mask: readonly string[] | undefined): Partial<PoolSpec> {
  return patchOf(fields, pool, mask);
}

/** What of a pool may be set, for the wire. */
export function poolFieldsToWire(pool: PoolSpec): Partial<wire.Pool> {
  return wireOf(fields, pool);
}
