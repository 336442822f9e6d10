import type { EngineStore } from "@berth/chassis/engine";
import type { Change, Row } from "../domain/changes.js";
import type { Lease } from "../domain/lease.js";
import type { LimitChange } from "../domain/pool.js";

/** Which leases to list; a field left out asks for all. */
export interface LeaseFilter {
  readonly task?: string;
  readonly runner?: string;
  readonly slot?: string;
  readonly pool?: string;
  readonly limit?: string;
  /** Only those that occupied at or after this moment. */
  readonly fromMs?: number;
  /** Only those granted before this moment. */
  readonly toMs?: number;
}

/** A limit change with the number of its commit. */
export interface LimitChangeRow extends LimitChange {
  readonly revision: number;
}

/** Some commits of the journal. */
export interface JournalPage {
  readonly groups: readonly { readonly n: number; readonly wallMs: number; readonly changes: readonly Change[] }[];
  /** Oldest commit that the journal has; one more than the last commit if it is empty. */
  readonly firstN: number;
  /** True if there are more. */
  readonly more: boolean;
}

/** What the pool-manager needs of a store. SQLite is one, memory another; both pass the same suite. */
export interface PoolStore extends EngineStore<Change, Row> {
  /** Finished leases of these attempts (keys of `attemptKey`). At most 1,000 keys. */
  finishedByKeys(keys: readonly string[]): Promise<Lease[]>;
  /** Finished leases of these ids. At most 1,000 ids. */
  finishedByIds(ids: readonly string[]): Promise<Lease[]>;
  /** Finished leases with a token below `beforeToken`, newest grant first. */
  listFinished(filter: LeaseFilter, beforeToken: number, max: number): Promise<Lease[]>;
  /** Limit changes with an id below `beforeId`, newest first; `limit` empty for all. */
  listLimitChanges(limit: string, beforeId: number, max: number): Promise<LimitChangeRow[]>;
  /** Commits after `n`, oldest first. */
  journalAfter(n: number, max: number): Promise<JournalPage>;
  /** The occupying leases by the rows and the journal, as of one commit: what a restart would load. */
  occupying(): Promise<{ readonly n: number; readonly leases: readonly Lease[] }>;
  /** Deletes commits below `journalBelow` that no replay needs, and finished leases that ended before `endedBeforeMs`; at most `max` of each. Returns how many went. */
  prune(bounds: {
    readonly journalBelow: number;
    readonly endedBeforeMs: number;
    readonly max: number;
  }): Promise<number>;
}
