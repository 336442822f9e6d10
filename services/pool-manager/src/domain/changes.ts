import type { Lease } from "./lease.js";
import type { Limit } from "./limits.js";
import type { LimitChange, Pool } from "./pool.js";

/** What happened to a lease. */
export type LeaseEventKind = "GRANTED" | "STARTED" | "REVOKING" | "EXPIRED" | "RELEASED" | "LATE_RESULT";

/** What is kept of a runner session. Deadlines aren't: they are in memory, and only observed silence is written. */
export interface RunnerRecord {
  readonly runner: string;
  readonly incarnation: string;
  /** Which start of the runner it is; 0 if the runner doesn't say. */
  readonly startNumber: number;
  /** Earlier incarnations, newest last, so that a process that was replaced can't come back. */
  readonly superseded: readonly string[];
  readonly pools: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: number;
  /** Handlers that it has, by name. Rows of older versions don't say. */
  readonly handlers?: readonly string[];
  readonly draining: boolean;
  /** True after it was silent for its whole TTL, or has detached. */
  readonly lost: boolean;
  /** True after it has detached: it holds nothing, and is kept only to know its earlier starts. Rows of older versions don't say. */
  readonly left?: boolean;
  /** Silence observed up to the last checkpoint, milliseconds. */
  readonly silenceMs: number;
}

/** Figures that outlive the rows they were counted from. */
export interface Meta {
  /** Made at the first start; the first part of every lease id, so that leases of other data are never taken for ours. */
  readonly dataId: string;
  /** Made with it, hexadecimal: the secrets of all leases are derived from it. Never leaves the pool-manager. Rows of older versions lack it. */
  readonly leaseKey?: string;
  /** Leases granted: the latest token. */
  readonly granted: number;
  /** Leases released: the latest ordinal. */
  readonly released: number;
  /** Leases that ended before this moment have been pruned. */
  readonly horizonMs: number;
  /** Lease events up to this position are committed by the registry. */
  readonly acknowledged: number;
  /** Version of the catalogue. */
  readonly version: number;
  /** Number of the latest limit change. */
  readonly limitChanges: number;
  /** Pools and limits of the configuration that were created once; deleting them later is final. */
  readonly seeded: readonly string[];
}

/** A change of the state. Each carries the state after it, so that applying it twice changes nothing. */
export type Change =
  | { readonly k: "lease"; readonly e: LeaseEventKind; readonly l: Lease }
  | { readonly k: "stale"; readonly lease: string; readonly token: number; readonly runner: string }
  | { readonly k: "pool"; readonly name: string; readonly pool?: Pool }
  | { readonly k: "limit"; readonly name: string; readonly limit?: Limit }
  | { readonly k: "limitChange"; readonly change: LimitChange }
  | { readonly k: "runner"; readonly runner: string; readonly record?: RunnerRecord }
  | { readonly k: "tombstone"; readonly key: string; readonly wallMs?: number }
  | { readonly k: "meta"; readonly meta: Meta }
  | { readonly k: "mark" };

/** A row to write. Without its content it is to be deleted. */
export type Row =
  | { readonly t: "lease"; readonly lease: Lease }
  | { readonly t: "pool"; readonly name: string; readonly pool?: Pool }
  | { readonly t: "limit"; readonly name: string; readonly limit?: Limit }
  | { readonly t: "limitChange"; readonly change: LimitChange }
  | { readonly t: "runner"; readonly runner: string; readonly record?: RunnerRecord }
  | { readonly t: "tombstone"; readonly key: string; readonly wallMs?: number }
  | { readonly t: "meta"; readonly meta: Meta }
  /** Only read: a start under a limit with a rate, from before the restart. */
  | { readonly t: "start"; readonly limit: string; readonly wallMs: number };

/** Positions of lease events: number of the commit, then the place in it. */
export const positionsPerGroup = 100_000;
