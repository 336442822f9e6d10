import type { Change, Row } from "./changes.js";
import type { State } from "./state.js";

/** Key of the row that a change alters: its table, a blank, its key. */
export function rowKeyOf(change: Change): string | undefined {
  switch (change.k) {
    case "lease":
      return `lease ${change.l.id}`;
    case "pool":
    case "limit":
      return `${change.k} ${change.name}`;
    case "runner":
      return `runner ${change.runner}`;
    case "tombstone":
      return `tombstone ${change.key}`;
    case "limitChange":
      return `limitChange ${change.change.id}`;
    case "meta":
      return "meta ";
    case "stale":
    case "mark":
      return undefined;
  }
}

/**
 * The row as it is now. A lease's row is final when it is released, and is written with that commit; while it occupies it is written only
 * as a checkpoint. Everything else changes rarely and is written with every commit that changes it.
 */
export function rowOf(state: State, rowKey: string): { readonly row: Row; readonly final: boolean } | undefined {
  const blank = rowKey.indexOf(" ");
  const key = rowKey.slice(blank + 1);
  switch (rowKey.slice(0, blank)) {
    case "lease": {
      const held = state.ledger.leases.get(key);
      if (held) return { row: { t: "lease", lease: held.lease }, final: false };
      const lease = state.recent.unwritten.get(key);
      return lease && { row: { t: "lease", lease }, final: true };
    }
    case "pool": {
      const pool = state.pools.get(key);
      return { row: { t: "pool", name: key, ...(pool && { pool }) }, final: true };
    }
    case "limit": {
      const limit = state.limits.get(key);
      return { row: { t: "limit", name: key, ...(limit && { limit }) }, final: true };
    }
    case "runner": {
      const record = state.sessions.get(key)?.record;
      return { row: { t: "runner", runner: key, ...(record && { record }) }, final: true };
    }
    case "tombstone": {
      const wallMs = state.tombstones.get(key);
      return { row: { t: "tombstone", key, ...(wallMs !== undefined && { wallMs }) }, final: true };
    }
    case "limitChange": {
      const change = state.unwrittenChanges.get(key);
      return change && { row: { t: "limitChange", change }, final: true };
    }
    case "meta":
      return { row: { t: "meta", meta: state.figures }, final: true };
    default:
      throw new Error(`no such row: ${rowKey}`);
  }
}

/** A final row is committed. */
export function rowWritten(state: State, rowKey: string): void {
  if (rowKey.startsWith("lease ")) state.recent.written(rowKey.slice(6));
  else if (rowKey.startsWith("limitChange ")) state.unwrittenChanges.delete(rowKey.slice(12));
}
