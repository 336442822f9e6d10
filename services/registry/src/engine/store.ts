import type { EngineStore } from "@berth/chassis/engine";
import type { Change, Filter, Row } from "../domain/commands.js";
import type { RequestRecord, SetRecord } from "../domain/submission.js";
import type { TaskSnapshot, TaskState } from "../domain/task.js";

/** What the registry needs at rest: load what is live, commit a group, read history. Rows of live tasks may lag behind the memory. */
export interface RegistryStore extends EngineStore<Change, Row> {
  /** State, by its row, of those tasks of a set that exist. */
  states(set: string, ids: readonly string[]): Promise<Map<string, TaskState>>;
  /** A stored set; `counts` and `endMs` speak of its final tasks. */
  set(set: string): Promise<SetRecord | undefined>;
  /** Sets, newest first, those before a position: `(createMs, set)` of the last one seen. */
  sets(
    before: { readonly createMs: number; readonly set: string } | undefined,
    max: number,
    /** Only sets whose id begins so. */
    prefix?: string,
  ): Promise<SetRecord[]>;
  /** An earlier request. */
  request(requestId: string): Promise<RequestRecord | undefined>;
  /** Stored tasks by key, in no order, live ones included. */
  tasks(keys: readonly string[]): Promise<TaskSnapshot[]>;
  /** Final tasks that match, newest first, older than `beforeOrder`. */
  finals(filter: Filter, beforeOrder: number, max: number): Promise<TaskSnapshot[]>;
  /** Number of final tasks that match. */
  countFinals(filter: Filter): Promise<number>;
  /** Final tasks that match and changed after a revision, in order of revision. */
  finalsSince(filter: Filter, afterRevision: number, max: number): Promise<TaskSnapshot[]>;
  /** Encoded specifications by key. */
  specs(keys: readonly string[]): Promise<Map<string, Uint8Array>>;
  /** Deletes final tasks that ended before, requests from before, and sets left empty; a bounded number. Returns the keys of the tasks. */
  prune(limits: {
    readonly endedBeforeMs: number;
    readonly requestsBeforeMs: number;
    readonly max: number;
  }): Promise<string[]>;
}
