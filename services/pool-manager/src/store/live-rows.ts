import type { Meta, Row } from "../domain/changes.js";
import type { Lease } from "../domain/lease.js";
import { emptyMeta, startsOf } from "./memory.js";

/** What an SQL store has of the present, as its tables hold it. */
export interface LiveParts {
  /** Leases that aren't released. */
  readonly leases: readonly Lease[];
  /** Pools, limits, runners and the figures. */
  readonly config: readonly Row[];
  readonly tombstones: readonly { readonly key: string; readonly wallMs: number }[];
  /** Largest token and ordinal of any lease. */
  readonly totals: { readonly granted: number | null; readonly released: number | null };
}

/** The rows to load, but for the starts under limits with a rate. */
export function liveRows({ leases, config, tombstones, totals }: LiveParts): Row[] {
  const found = config.find((row) => row.t === "meta");
  const kept: Meta = found?.t === "meta" ? found.meta : emptyMeta;
  const meta = {
    ...kept,
    granted: Math.max(kept.granted, totals.granted ?? 0),
    released: Math.max(kept.released, totals.released ?? 0),
  };
  return [
    ...leases.map((lease): Row => ({ t: "lease", lease })),
    ...config.filter((row) => row.t !== "meta"),
    ...tombstones.map(({ key, wallMs }): Row => ({ t: "tombstone", key, wallMs })),
    { t: "meta", meta },
  ];
}

/** Limits with a rate, and how far back their starts count. */
export function ratesOf(config: readonly Row[]): { readonly limits: ReadonlySet<string>; readonly longestMs: number } {
  const rated = config.flatMap((row) => (row.t === "limit" && row.limit && row.limit.rate > 0 ? [row.limit] : []));
  return {
    limits: new Set(config.flatMap((row) => (row.t === "limit" && (row.limit?.rate ?? 0) > 0 ? [row.name] : []))),
    longestMs: Math.max(0, ...rated.map(({ ratePeriodMs }) => ratePeriodMs)),
  };
}

/** The starts that leases were under limits with a rate. */
export function startRows(leases: readonly Lease[], limits: ReadonlySet<string>): Row[] {
  return leases.flatMap((lease) => startsOf(lease, limits));
}
