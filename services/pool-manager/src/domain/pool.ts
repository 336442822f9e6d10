import type { Limit } from "./limits.js";

/** How the runners of a pool run their work. */
export type PoolType = "LOCAL_PROCESS" | "DOCKER" | "KUBERNETES" | "REMOTE";

/** A named group of runners. Its bounds are limits: `pool:P`, and `pool:P:cpu` and `pool:P:memory` where they are counted. */
export interface Pool {
  readonly name: string;
  readonly type: PoolType;
  /** Named exclusive places; empty for the runners' own numbered slots. */
  readonly slots: readonly string[];
  readonly skills: readonly string[];
  readonly paused: boolean;
  readonly reason: string;
  readonly version: number;
  readonly requestId: string;
  /** Digest of that request. */
  readonly requestDigest?: string | undefined;
}

/** Names of the limits that are made by themselves. */
export const limitNames = {
  global: "global",
  pool: (pool: string) => `pool:${pool}`,
  cpu: (pool: string) => `pool:${pool}:cpu`,
  memory: (pool: string) => `pool:${pool}:memory`,
  runner: (runner: string) => `runner:${runner}`,
  tenant: (tenant: string) => `tenant:${tenant}`,
} as const;

/** A change made to a limit, for the audit list. */
export interface LimitChange {
  /** Number of the change: the catalogue's version after it, and a running number within it. */
  readonly id: number;
  readonly limit: string;
  readonly oldCapacity?: number;
  readonly newCapacity?: number;
  /** Wall clock at which the new capacity is over, if it is temporary. */
  readonly expireMs?: number;
  /** The lasting capacity under a temporary one. */
  readonly revertCapacity?: number;
  readonly wallMs: number;
  readonly reason: string;
}

/** A limit with what is used of it. */
export interface LimitStatus extends Limit {
  readonly used: number;
}
