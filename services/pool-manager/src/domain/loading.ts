import type { Now } from "@berth/chassis/engine";
import type { Change, Row, RunnerRecord } from "./changes.js";
import type { Lease } from "./lease.js";
import { setSession } from "./runners.js";
import type { State } from "./state.js";

/** Collects rows and replayed changes, then builds the state from what is left. */
export class Loading {
  private readonly state: State;
  private readonly leases = new Map<string, Lease>();
  private readonly runners = new Map<string, RunnerRecord>();
  private readonly startRows: { limit: string; wallMs: number }[] = [];
  private granted = 0;
  private released = 0;

  constructor(state: State) {
    this.state = state;
  }

  /** Takes a row. */
  row(row: Row): void {
    switch (row.t) {
      case "lease":
        return this.lease(row.lease);
      case "start":
        return void this.startRows.push(row);
      case "limitChange":
        return;
      case "pool":
        return this.change({ k: "pool", name: row.name, ...(row.pool && { pool: row.pool }) });
      case "limit":
        return this.change({ k: "limit", name: row.name, ...(row.limit && { limit: row.limit }) });
      case "runner":
        return this.change({ k: "runner", runner: row.runner, ...(row.record && { record: row.record }) });
      case "tombstone":
        return this.change({ k: "tombstone", key: row.key, ...(row.wallMs !== undefined && { wallMs: row.wallMs }) });
      case "meta":
        return this.change({ k: "meta", meta: row.meta });
    }
  }

  /** Takes a change of the journal. */
  change(change: Change): void {
    const { state } = this;
    switch (change.k) {
      case "lease":
        return this.lease(change.l);
      case "pool":
        return put(state.pools, change.name, change.pool);
      case "limit":
        return put(state.limits, change.name, change.limit);
      case "runner":
        return put(this.runners, change.runner, change.record);
      case "tombstone":
        return put(state.tombstones, change.key, change.wallMs);
      case "meta":
        state.meta = change.meta;
        this.granted = Math.max(this.granted, change.meta.granted);
        this.released = Math.max(this.released, change.meta.released);
        return;
      case "limitChange":
      case "stale":
      case "mark":
        return;
    }
  }

  private lease(lease: Lease): void {
    this.granted = Math.max(this.granted, lease.token);
    this.released = Math.max(this.released, lease.ordinal);
    if (lease.state === "RELEASED") this.leases.delete(lease.id);
    else this.leases.set(lease.id, lease);
  }

  /** Builds the indexes. Every runner gets a fresh TTL, less the silence that was observed before. */
  finish(now: Now): void {
    const { state } = this;
    state.totals.granted = this.granted;
    state.totals.released = this.released;
    for (const lease of [...this.leases.values()].sort((a, b) => a.token - b.token))
      state.ledger.put(lease, now.monoMs);
    for (const record of this.runners.values()) {
      const heardMs = now.monoMs - record.silenceMs;
      setSession(state, { record, heardMs, deadlineMs: heardMs + state.settings.ttlMs, extended: false, slotHint: 1 });
    }
    for (const { limit, wallMs } of this.startRows.sort((a, b) => a.wallMs - b.wallMs)) {
      const found = state.limits.get(limit);
      if (found) state.starts.add(found, wallMs);
    }
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
