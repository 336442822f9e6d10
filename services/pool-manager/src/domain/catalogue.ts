import type { Limit } from "./limits.js";
import type { Pool, PoolType } from "./pool.js";
import type { State } from "./state.js";

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

/** What became of a request to create what is there: its repeat gets what there is. */
export function repeated<Created extends Pool | Limit>(
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

/** Leases that occupy a limit, for a refusal; empty if none does. */
export function occupants(state: State, limit: string): string {
  const ids = [...(state.ledger.use(limit)?.holders.keys() ?? [])];
  if (ids.length === 0) return "";
  return `${ids.slice(0, leasesNamed).join(", ")}${ids.length > leasesNamed ? ` and ${ids.length - leasesNamed} more` : ""}`;
}

/** Somebody changed it in between. */
export function staleEtag(kind: string, name: string, version: number, etag: string): CatalogueRefused {
  return {
    refused: "STALE_ETAG",
    message: `${kind} ${name} has etag ${version}, not ${etag}: somebody changed it; read it again`,
  };
}
