import {
  type CatalogueRefused,
  type CreateRequest,
  occupants,
  type PoolSpec,
  repeated,
  staleEtag,
} from "./catalogue.js";
import { limitProblem } from "./constraints.js";
import { dropLimit, endIfDue, setLimit, withCapacity } from "./limit-catalogue.js";
import { type Limit, plainLimit } from "./limits.js";
import { limitNames, type Pool } from "./pool.js";
import type { State, Turn } from "./state.js";
import { lastingCapacity, withLasting } from "./temporary.js";

/** The bounds of a pool, as its limits have them. */
export function poolSpec(state: State, pool: Pool): PoolSpec {
  const capacity = (name: string): number => state.limits.get(name)?.capacity ?? 0;
  const { name, type, slots, skills, paused, reason } = pool;
  return {
    name,
    type,
    maxConcurrency: capacity(limitNames.pool(name)),
    cpuMillis: capacity(limitNames.cpu(name)),
    memoryBytes: capacity(limitNames.memory(name)),
    slots,
    skills,
    paused,
    reason,
  };
}

/** Creates a pool and its limits. */
export function createPool(state: State, turn: Turn, spec: PoolSpec, request: CreateRequest): Pool | CatalogueRefused {
  const old = state.pools.get(spec.name);
  if (old) return repeated("pool", old, request);
  return slotProblem(state, spec) ?? putPool(state, turn, spec, spec, request);
}

/** Updates a pool. Its bounds are changed for good: under a temporary change of theirs, that is what they will be afterwards. */
export function updatePool(
  state: State,
  turn: Turn,
  name: string,
  patch: Partial<PoolSpec>,
  etag: string,
): Pool | CatalogueRefused {
  const old = state.pools.get(name);
  if (!old) return noPool(name);
  if (etag !== "" && etag !== String(old.version)) return staleEtag("pool", name, old.version, etag);
  const spec = { ...poolSpec(state, old), ...patch, name, type: old.type };
  return slotProblem(state, spec) ?? putPool(state, turn, spec, patch, old);
}

type Bounds = Pick<PoolSpec, "maxConcurrency" | "cpuMillis" | "memoryBytes">;

/** Puts a pool and those of its bounds that are given into the state; refuses, changing nothing, what breaks a rule of its limits. */
export function putPool(
  state: State,
  turn: Turn,
  spec: PoolSpec,
  bounds: Partial<Bounds>,
  { requestId, requestDigest }: CreateRequest,
): Pool | CatalogueRefused {
  const { name, type, slots, skills, paused, reason } = spec;
  for (const limit of limitNamesOf(name)) endIfDue(state, turn, limit);
  const changes = boundChanges(state, name, bounds, reason);
  const refused = changes.map(boundProblem).find((problem) => problem !== undefined);
  if (refused) return refused;
  for (const { limit, after } of changes) {
    if (after) setLimit(state, turn, after);
    else dropLimit(state, turn, limit, reason);
  }
  state.setMeta(turn, { version: state.meta.version + 1 });
  const version = state.meta.version;
  const pool: Pool = { name, type, slots, skills, paused, reason, version, requestId, requestDigest };
  state.pools.set(name, pool);
  turn.changes.push({ k: "pool", name, pool });
  state.standing.wakeAll();
  return pool;
}

/** One of a pool's limits as it will be; without `after` it isn't counted any more. */
interface BoundChange {
  /** Field of the pool that sets it. */
  readonly field: string;
  readonly limit: string;
  readonly after: Limit | undefined;
}

/** What the bounds that are given change; nothing is changed yet, so that a refusal of one changes none. */
function boundChanges(
  state: State,
  pool: string,
  { maxConcurrency, cpuMillis, memoryBytes }: Partial<Bounds>,
  reason: string,
): BoundChange[] {
  const change = (field: string, name: string, capacity: number | undefined, counted = true): BoundChange[] => {
    const old = state.limits.get(name);
    if (capacity === undefined || (old && counted && lastingCapacity(old) === capacity)) return [];
    if (!counted) return old ? [{ field, limit: name, after: undefined }] : [];
    const after = old
      ? withCapacity({ ...old, reason }, withLasting(old, capacity))
      : { ...plainLimit(name, capacity), reason };
    return [{ field, limit: name, after }];
  };
  return [
    ...change("pool.max_concurrency", limitNames.pool(pool), maxConcurrency),
    ...change("pool.cpu_millis", limitNames.cpu(pool), cpuMillis, cpuMillis !== 0),
    ...change("pool.memory_bytes", limitNames.memory(pool), memoryBytes, memoryBytes !== 0),
  ];
}

function boundProblem({ field, after }: BoundChange): CatalogueRefused | undefined {
  const problem = after && limitProblem(after);
  return problem && { ...problem, field };
}

/** A slot is held by one lease among all, so no two pools may name the same one, and none may look like a runner's numbered slot. */
function slotProblem(state: State, spec: PoolSpec): CatalogueRefused | undefined {
  const numbered = spec.slots.find((slot) => /^[^/]+\/\d+$/.test(slot));
  if (numbered !== undefined)
    return {
      refused: "INVALID_FIELD",
      field: "pool.slots",
      message: `slot "${numbered}" looks like a runner's numbered slot: choose a name that isn't {name}/{number}`,
    };
  if (new Set(spec.slots).size !== spec.slots.length)
    return { refused: "INVALID_FIELD", field: "pool.slots", message: "a slot is named twice: name each once" };
  for (const pool of state.pools.values()) {
    if (pool.name === spec.name) continue;
    const shared = pool.slots.find((slot) => spec.slots.includes(slot));
    if (shared !== undefined)
      return {
        refused: "INVALID_FIELD",
        field: "pool.slots",
        message: `slot "${shared}" belongs to pool ${pool.name}: choose another name`,
      };
  }
  return undefined;
}

/** Deletes a pool that holds no lease. */
export function deletePool(state: State, turn: Turn, name: string): CatalogueRefused | undefined {
  if (!state.pools.has(name)) return noPool(name);
  const occupied = occupants(state, limitNames.pool(name));
  if (occupied !== "")
    return {
      refused: "WRONG_STATE",
      message: `pool ${name} holds leases (${occupied}): pause it and wait until they are over`,
    };
  state.pools.delete(name);
  turn.changes.push({ k: "pool", name });
  for (const limit of limitNamesOf(name)) dropLimit(state, turn, limit, `pool ${name} was deleted`);
  return undefined;
}

function limitNamesOf(pool: string): string[] {
  return [limitNames.pool(pool), limitNames.cpu(pool), limitNames.memory(pool)];
}

function noPool(name: string): CatalogueRefused {
  return { refused: "NOT_FOUND", message: `there is no pool ${name}` };
}
