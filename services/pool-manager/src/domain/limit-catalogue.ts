import {
  type CatalogueRefused,
  type CreateRequest,
  type LimitSpec,
  occupants,
  repeated,
  staleEtag,
} from "./catalogue.js";
import { limitProblem } from "./constraints.js";
import { type Limit, plainLimit } from "./limits.js";
import { limitNames } from "./pool.js";
import type { State, Turn } from "./state.js";
import { type Capacity, capacityWhenOver, changedCapacity } from "./temporary.js";

const noRequest: CreateRequest = { requestId: "" };

/** Puts a limit into the state as a new version, with a row in the audit list if its capacity changed, or what it will be. */
export function setLimit(state: State, turn: Turn, limit: Limit): Limit {
  const old = state.limits.get(limit.name);
  state.setMeta(turn, { version: state.meta.version + 1 });
  const versioned = { ...limit, version: state.meta.version };
  state.limits.set(limit.name, versioned);
  turn.changes.push({ k: "limit", name: limit.name, limit: versioned });
  const { capacity, expireMs, revertCapacity } = limit;
  if (old?.capacity !== capacity || old.expireMs !== expireMs || old.revertCapacity !== revertCapacity)
    noteChange(state, turn, limit.name, old?.capacity, limit, limit.reason);
  state.standing.wakeAll();
  return versioned;
}

/** Takes a limit out of the state, if it is there. */
export function dropLimit(state: State, turn: Turn, name: string, reason: string): void {
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
  after: Capacity | undefined,
  reason: string,
): void {
  const id = state.meta.limitChanges + 1;
  state.setMeta(turn, { limitChanges: id });
  const change = {
    id,
    limit,
    ...(oldCapacity !== undefined && { oldCapacity }),
    ...(after !== undefined && { newCapacity: after.capacity }),
    ...(after?.expireMs !== undefined && { expireMs: after.expireMs }),
    ...(after?.revertCapacity !== undefined && { revertCapacity: after.revertCapacity }),
    wallMs: turn.now.wallMs,
    reason,
  };
  state.unwrittenChanges.set(String(id), change);
  turn.changes.push({ k: "limitChange", change });
}

/** What an update of a limit takes. */
export interface LimitUpdate {
  readonly name: string;
  /** A key that is there is set; `expireMs` makes the change of the capacity temporary, as `forMs` does, and `expireMs: undefined` ends what is. */
  readonly patch: Partial<LimitSpec>;
  /** Empty for any. */
  readonly etag: string;
  /** The change of the capacity holds only so long from now on. */
  readonly forMs?: number | undefined;
  /** A temporary change that holds is over at once. */
  readonly endTemporary?: boolean;
  /** Creates the limit if it isn't there. */
  readonly allowMissing?: boolean;
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
      message: `limit ${spec.name} exists automatically and can't be created: names that begin with "pool:" or "runner:", and "global", are reserved`,
    };
  }
  const { requestId, requestDigest } = request;
  const { expireMs: untilMs, revertCapacity, capacity, ...rest } = spec;
  const made = changedCapacity(undefined, { capacity, untilMs, revertCapacity }, turn.now.wallMs);
  if ("problem" in made) return { refused: "INVALID_FIELD", ...made.problem };
  const limit: Limit = { ...rest, ...made, version: 0, requestId, requestDigest };
  return limitProblem(limit) ?? setLimit(state, turn, limit);
}

/** Updates a limit: one decision over what holds now and what will hold, so that no caller has to read before it writes. */
export function updateLimit(state: State, turn: Turn, update: LimitUpdate): Limit | CatalogueRefused {
  const { name, patch, etag, forMs, endTemporary = false, allowMissing = false } = update;
  endIfDue(state, turn, name);
  const old = state.limits.get(name);
  if (!old && !(allowMissing && etag === "")) return noLimit(name);
  if (old && etag !== "" && etag !== String(old.version)) return staleEtag("limit", name, old.version, etag);
  const { expireMs, revertCapacity, capacity, ...rest } = patch;
  const ends = endTemporary || ("expireMs" in patch && expireMs === undefined && forMs === undefined);
  const untilMs = forMs === undefined ? expireMs : turn.now.wallMs + forMs;
  if (!old) {
    if (capacity === undefined)
      return {
        refused: "INVALID_FIELD",
        field: "limit.capacity",
        message: `is missing: there is no limit ${name} yet`,
      };
    const spec = { ...plainLimit(name, capacity), ...rest, name, ...(untilMs !== undefined && { expireMs: untilMs }) };
    return createLimit(state, turn, { ...spec, ...(revertCapacity !== undefined && { revertCapacity }) }, noRequest);
  }
  const changed = changedCapacity(old, { capacity, untilMs, revertCapacity, endTemporary: ends }, turn.now.wallMs);
  if ("problem" in changed) return { refused: "INVALID_FIELD", ...changed.problem };
  const limit = withCapacity({ ...old, ...rest, name }, changed);
  return limitProblem(limit) ?? setLimit(state, turn, limit);
}

/** A limit with another capacity: nothing is left of a temporary one that it had. */
export function withCapacity(limit: Limit, capacity: Capacity): Limit {
  const { expireMs: _expireMs, revertCapacity: _revertCapacity, ...rest } = limit;
  return { ...rest, ...capacity };
}

/** Ends a temporary change whose time has come. */
export function endIfDue(state: State, turn: Turn, name: string): void {
  const limit = state.limits.get(name);
  const over = limit && capacityWhenOver(limit, turn.now.wallMs);
  if (!over) return;
  const { capacity } = over;
  const reason = `the temporary change is over${limit.reason === "" ? "" : ` (${limit.reason})`}`;
  // Rows of older versions may have a reserve above it; whoever may use the reserve may use all of it then.
  setLimit(state, turn, withCapacity({ ...limit, reason, reserve: Math.min(limit.reserve, capacity) }, over));
}

/** Deletes a limit that nothing occupies. */
export function deleteLimit(state: State, turn: Turn, name: string): CatalogueRefused | undefined {
  if (!state.limits.has(name)) return noLimit(name);
  if (madeByItself(name))
    return {
      refused: "WRONG_STATE",
      message: `limit ${name} exists automatically and can't be deleted: set its capacity instead`,
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

function noLimit(name: string): CatalogueRefused {
  return { refused: "NOT_FOUND", message: `there is no limit ${name}` };
}
