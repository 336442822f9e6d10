import { type Limit, plainLimit } from "./limits.js";
import { limitNames, type Pool, type PoolType } from "./pool.js";
import type { State, Turn } from "./state.js";

/** Why a change of the catalogue is refused. */
export interface CatalogueRefused {
  readonly refused:
    | "NOT_FOUND"
    | "ALREADY_EXISTS"
    | "REQUEST_ID_REUSED"
    | "STALE_ETAG"
    | "WRONG_STATE"
    | "INVALID_FIELD";
  readonly message: string;
  readonly field?: string;
}

/** A pool with the bounds that are limits. */
export interface PoolSpec {
  readonly name: string;
  readonly type: PoolType;
  readonly maxConcurrency: number;
  /** 0: not counted. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly slots: readonly string[];
  readonly skills: readonly string[];
  readonly paused: boolean;
  readonly reason: string;
}

/** What tells a repeated request to create something from another one. */
export interface CreateRequest {
  /** Made by the caller; empty if none. */
  readonly requestId: string;
  /** Of the request's content. */
  readonly requestDigest?: string | undefined;
}

/** What may be set of a limit. */
export type LimitSpec = Omit<Limit, "version" | keyof CreateRequest>;

/** Leases that a refusal names. */
const leasesNamed = 10;

/** Puts a limit into the state as a new version, with a row in the audit list if its capacity changed. */
export function setLimit(state: State, turn: Turn, limit: Limit): Limit {
  const old = state.limits.get(limit.name);
  state.setMeta(turn, { version: state.meta.version + 1 });
  const versioned = { ...limit, version: state.meta.version };
  state.limits.set(limit.name, versioned);
  turn.changes.push({ k: "limit", name: limit.name, limit: versioned });
  if (old?.capacity !== limit.capacity)
    noteChange(state, turn, limit.name, old?.capacity, limit.capacity, limit.reason);
  state.standing.wakeAll();
  return versioned;
}

function dropLimit(state: State, turn: Turn, name: string, reason: string): void {
  const old = state.limits.get(name);
  if (!old) return;
  state.limits.delete(name);
  state.starts.delete(name);
  state.setMeta(turn, { version: state.meta.version + 1 });
  turn.changes.push({ k: "limit", name });
  noteChange(state, turn, name, old.capacity, undefined, reason);
  state.standing.wakeAll();
}

function noteChange(
  state: State,
  turn: Turn,
  limit: string,
  oldCapacity: number | undefined,
  newCapacity: number | undefined,
  reason: string,
): void {
  const id = state.meta.limitChanges + 1;
  state.setMeta(turn, { limitChanges: id });
  const change = {
    id,
    limit,
    ...(oldCapacity !== undefined && { oldCapacity }),
    ...(newCapacity !== undefined && { newCapacity }),
    wallMs: turn.now.wallMs,
    reason,
  };
  state.unwrittenChanges.set(String(id), change);
  turn.changes.push({ k: "limitChange", change });
}

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
  return slotProblem(state, spec) ?? putPool(state, turn, spec, request);
}

/** What became of a request to create what is there: its repeat gets what there is. */
function repeated<Created extends Pool | Limit>(
  what: string,
  old: Created,
  { requestId, requestDigest }: CreateRequest,
): Created | CatalogueRefused {
  if (requestId === "" || old.requestId !== requestId)
    return { refused: "ALREADY_EXISTS", message: `there is a ${what} ${old.name} already: update it instead` };
  if (old.requestDigest !== requestDigest)
    return {
      refused: "REQUEST_ID_REUSED",
      message: `request id ${requestId} created ${what} ${old.name} with other content: make a new id for a new request, or update the ${what}`,
    };
  return old;
}

/** Updates a pool. */
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
  return slotProblem(state, spec) ?? putPool(state, turn, spec, old);
}

function putPool(state: State, turn: Turn, spec: PoolSpec, { requestId, requestDigest }: CreateRequest): Pool {
  const { name, type, slots, skills, paused, reason } = spec;
  setCapacity(state, turn, limitNames.pool(name), spec.maxConcurrency, reason);
  setOptional(state, turn, limitNames.cpu(name), spec.cpuMillis, reason);
  setOptional(state, turn, limitNames.memory(name), spec.memoryBytes, reason);
  state.setMeta(turn, { version: state.meta.version + 1 });
  const version = state.meta.version;
  const pool: Pool = { name, type, slots, skills, paused, reason, version, requestId, requestDigest };
  state.pools.set(name, pool);
  turn.changes.push({ k: "pool", name, pool });
  state.standing.wakeAll();
  return pool;
}

function setCapacity(state: State, turn: Turn, name: string, capacity: number, reason: string): void {
  const old = state.limits.get(name);
  if (old?.capacity !== capacity) setLimit(state, turn, { ...(old ?? plainLimit(name, capacity)), capacity, reason });
}

function setOptional(state: State, turn: Turn, name: string, capacity: number, reason: string): void {
  if (capacity > 0) setCapacity(state, turn, name, capacity, reason);
  else dropLimit(state, turn, name, reason);
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
  for (const limit of [limitNames.pool(name), limitNames.cpu(name), limitNames.memory(name)])
    dropLimit(state, turn, limit, `pool ${name} was deleted`);
  return undefined;
}

/** Creates a limit of a user's name or of a tenant. */
export function createLimit(
  state: State,
  turn: Turn,
  spec: LimitSpec,
  request: CreateRequest,
): Limit | CatalogueRefused {
  const old = state.limits.get(spec.name);
  if (old) return repeated("limit", old, request);
  if (madeByItself(spec.name)) {
    return {
      refused: "INVALID_FIELD",
      field: "limit.limit",
      message: `limit ${spec.name} is made by itself and can't be created: names that begin with "pool:" or "runner:", and "global", are taken`,
    };
  }
  const { requestId, requestDigest } = request;
  return setLimit(state, turn, { ...spec, version: 0, requestId, requestDigest });
}

/** Updates a limit. */
export function updateLimit(
  state: State,
  turn: Turn,
  name: string,
  patch: Partial<LimitSpec>,
  etag: string,
): Limit | CatalogueRefused {
  const old = state.limits.get(name);
  if (!old) return noLimit(name);
  if (etag !== "" && etag !== String(old.version)) return staleEtag("limit", name, old.version, etag);
  const limit: Limit = { ...old, ...patch, name };
  if (!(limit.reserve <= limit.capacity)) {
    return {
      refused: "INVALID_FIELD",
      field: "limit.reserve",
      message: `${limit.reserve} is above the capacity ${limit.capacity}: lower the reserve too`,
    };
  }
  return setLimit(state, turn, limit);
}

/** Deletes a limit that nothing occupies. */
export function deleteLimit(state: State, turn: Turn, name: string): CatalogueRefused | undefined {
  if (!state.limits.has(name)) return noLimit(name);
  if (madeByItself(name))
    return {
      refused: "WRONG_STATE",
      message: `limit ${name} is made by itself and can't be deleted: set its capacity instead`,
    };
  const occupied = occupants(state, name);
  if (occupied !== "")
    return { refused: "WRONG_STATE", message: `limit ${name} is occupied (${occupied}): wait until it is free` };
  dropLimit(state, turn, name, "deleted");
  return undefined;
}

/** True for limits that come and go with pools and runners, and for the global one. */
export function madeByItself(name: string): boolean {
  return name === limitNames.global || name.startsWith("pool:") || name.startsWith("runner:");
}

function occupants(state: State, limit: string): string {
  const ids = [...(state.ledger.use(limit)?.holders.keys() ?? [])];
  if (ids.length === 0) return "";
  return `${ids.slice(0, leasesNamed).join(", ")}${ids.length > leasesNamed ? ` and ${ids.length - leasesNamed} more` : ""}`;
}

function noPool(name: string): CatalogueRefused {
  return { refused: "NOT_FOUND", message: `there is no pool ${name}` };
}

function noLimit(name: string): CatalogueRefused {
  return { refused: "NOT_FOUND", message: `there is no limit ${name}` };
}

function staleEtag(kind: string, name: string, version: number, etag: string): CatalogueRefused {
  return {
    refused: "STALE_ETAG",
    message: `${kind} ${name} has etag ${version}, not ${etag}: somebody changed it; read it again`,
  };
}

/** Creates what the configuration names and nobody has created or deleted before. Later changes at run time win. */
export function seed(state: State, turn: Turn, pools: readonly PoolSpec[], limits: readonly LimitSpec[]): void {
  const seeded = new Set(state.meta.seeded);
  const fresh = (key: string): boolean => !seeded.has(key) && Boolean(seeded.add(key));
  for (const spec of limits) {
    if (fresh(`limit ${spec.name}`) && !state.limits.has(spec.name))
      setLimit(state, turn, { ...spec, version: 0, requestId: "" });
  }
  for (const spec of pools) {
    if (fresh(`pool ${spec.name}`) && !state.pools.has(spec.name)) putPool(state, turn, spec, { requestId: "" });
  }
  if (seeded.size !== state.meta.seeded.length) state.setMeta(turn, { seeded: [...seeded] });
}
