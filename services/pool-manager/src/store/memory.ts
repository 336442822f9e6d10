import { type Group, LeadLost, type Loaded, type Position } from "@berth/chassis/engine";
import type { Change, Meta, Row } from "../domain/changes.js";
import { attemptKey, type Lease } from "../domain/lease.js";
import type { JournalPage, LeaseFilter, LimitChangeRow, PoolStore } from "../engine/ports.js";
import { replayOccupying } from "./replay.js";

/** What outlives a restart of the process that uses a {@link MemoryStore}: the "disk". */
export class MemoryDisk {
  epoch = 0;
  n = 0;
  replayFrom = 1;
  holder = "";
  readonly rows = new Map<string, string>();
  readonly journal = new Map<number, { wallMs: number; changes: string }>();
  readonly revisions = new Map<string, number>();
}

/** Called around each commit; throwing before loses the group, throwing after loses only the answer. */
export interface CommitHooks {
  before?(group: Group<Change, Row>): void | Promise<void>;
  after?(group: Group<Change, Row>): void | Promise<void>;
}

/** The store in memory, for simulations: the same behaviour as on disk, with hooks for commits that fail or whose fate is unknown. */
export class MemoryStore implements PoolStore {
  readonly disk: MemoryDisk;
  private readonly hooks: CommitHooks;

  constructor(disk: MemoryDisk = new MemoryDisk(), hooks: CommitHooks = {}) {
    this.disk = disk;
    this.hooks = hooks;
  }

  async lead(holder: string, seen?: number): Promise<Loaded<Change, Row>> {
    const { disk } = this;
    if (seen !== undefined && seen !== disk.epoch)
      throw new LeadLost(`the leader row is at epoch ${disk.epoch} (${disk.holder}), no longer at ${seen}`);
    disk.epoch++;
    disk.holder = holder;
    const all = this.rows();
    const finished = all.flatMap((row) => (row.t === "lease" && row.lease.state === "RELEASED" ? [row.lease] : []));
    const meta = all.find((row) => row.t === "meta")?.meta ?? emptyMeta;
    const rows: Row[] = all.filter(
      (row) => row.t !== "meta" && row.t !== "limitChange" && !(row.t === "lease" && row.lease.state === "RELEASED"),
    );
    rows.push({ t: "meta", meta: withTotals(meta, finished) }, ...startRows(rows, all));
    const groups = [...disk.journal]
      .filter(([n]) => n >= disk.replayFrom)
      .map(([n, { changes }]) => ({ n, changes: JSON.parse(changes) as Change[] }));
    return { epoch: disk.epoch, n: disk.n, rows, groups };
  }

  async commit(group: Group<Change, Row>): Promise<void> {
    await this.hooks.before?.(group);
    const { disk } = this;
    if (disk.epoch !== group.epoch || disk.n !== group.n - 1)
      throw new LeadLost(`the leader row is at (${disk.epoch}, ${disk.n}), not at (${group.epoch}, ${group.n - 1})`);
    disk.n = group.n;
    disk.replayFrom = group.replayFrom;
    if (group.changes.length > 0)
      disk.journal.set(group.n, { wallMs: group.wallMs, changes: JSON.stringify(group.changes) });
    for (const row of group.rows) this.write(row, group.n);
    await this.hooks.after?.(group);
  }

  async position(): Promise<Position> {
    return { epoch: this.disk.epoch, n: this.disk.n, holder: this.disk.holder };
  }

  async resign(epoch: number): Promise<void> {
    if (epoch === this.disk.epoch) this.disk.holder = "";
  }

  async close(): Promise<void> {}

  async finishedByKeys(keys: readonly string[]): Promise<Lease[]> {
    const wanted = new Set(keys);
    return this.finished().filter(({ task, attempt }) => wanted.has(attemptKey(task, attempt)));
  }

  async finishedByIds(ids: readonly string[]): Promise<Lease[]> {
    return this.finished().filter(({ id }) => ids.includes(id));
  }

  async listFinished(filter: LeaseFilter, beforeToken: number, max: number): Promise<Lease[]> {
    const found = this.finished().filter((lease) => lease.token < beforeToken && matches(lease, filter));
    return found.sort((left, right) => right.token - left.token).slice(0, max);
  }

  async listLimitChanges(limit: string, beforeId: number, max: number): Promise<LimitChangeRow[]> {
    const changes = this.rows().flatMap((row) =>
      row.t === "limitChange"
        ? [{ ...row.change, revision: this.disk.revisions.get(`limitChange ${row.change.id}`) ?? 0 }]
        : [],
    );
    const found = changes.filter((change) => change.id < beforeId && (limit === "" || change.limit === limit));
    return found.sort((left, right) => right.id - left.id).slice(0, max);
  }

  async journalAfter(n: number, max: number): Promise<JournalPage> {
    const after = [...this.disk.journal].filter(([m]) => m > n).sort(([left], [right]) => left - right);
    const groups = after
      .slice(0, max)
      .map(([m, { wallMs, changes }]) => ({ n: m, wallMs, changes: JSON.parse(changes) as Change[] }));
    return { groups, firstN: Math.min(this.disk.n + 1, ...this.disk.journal.keys()), more: after.length > max };
  }

  async occupying(): Promise<{ n: number; leases: readonly Lease[] }> {
    const live = this.rows().flatMap((row) => (row.t === "lease" && row.lease.state !== "RELEASED" ? [row.lease] : []));
    const groups = [...this.disk.journal]
      .filter(([n]) => n >= this.disk.replayFrom)
      .sort(([left], [right]) => left - right);
    return {
      n: this.disk.n,
      leases: replayOccupying(
        live,
        groups.map(([, { changes }]) => JSON.parse(changes) as Change[]),
      ),
    };
  }

  async prune(bounds: { journalBelow: number; endedBeforeMs: number; max: number }): Promise<number> {
    let gone = 0;
    for (const n of [...this.disk.journal.keys()]) {
      if (n < Math.min(bounds.journalBelow, this.disk.replayFrom) && gone < bounds.max && this.disk.journal.delete(n))
        gone++;
    }
    for (const lease of this.finished().slice(0, bounds.max)) {
      if ((lease.releaseMs ?? 0) < bounds.endedBeforeMs && this.disk.rows.delete(`lease ${lease.id}`)) gone++;
    }
    return gone;
  }

  private rows(): Row[] {
    return [...this.disk.rows.values()].map((text) => JSON.parse(text) as Row);
  }

  private finished(): Lease[] {
    return this.rows().flatMap((row) => (row.t === "lease" && row.lease.state === "RELEASED" ? [row.lease] : []));
  }

  private write(row: Row, n: number): void {
    const { key, gone } = keyOf(row);
    if (gone) this.disk.rows.delete(key);
    else this.disk.rows.set(key, JSON.stringify(row));
    if (row.t === "limitChange") this.disk.revisions.set(key, n);
  }
}

function keyOf(row: Row): { key: string; gone: boolean } {
  switch (row.t) {
    case "lease":
      return { key: `lease ${row.lease.id}`, gone: false };
    case "pool":
      return { key: `pool ${row.name}`, gone: row.pool === undefined };
    case "limit":
      return { key: `limit ${row.name}`, gone: row.limit === undefined };
    case "limitChange":
      return { key: `limitChange ${row.change.id}`, gone: false };
    case "runner":
      return { key: `runner ${row.runner}`, gone: row.record === undefined };
    case "tombstone":
      return { key: `tombstone ${row.key}`, gone: row.wallMs === undefined };
    case "meta":
      return { key: "meta", gone: false };
    case "start":
      throw new Error("a start is only read");
  }
}

function matches(lease: Lease, { task, runner, slot, pool, limit, fromMs, toMs }: LeaseFilter): boolean {
  return (
    (task === undefined || lease.task === task) &&
    (runner === undefined || lease.runner === runner) &&
    (slot === undefined || lease.slot === slot) &&
    (pool === undefined || lease.pool === pool) &&
    (limit === undefined || lease.weights.some(([name]) => name === limit)) &&
    (fromMs === undefined || (lease.releaseMs ?? 0) >= fromMs) &&
    (toMs === undefined || lease.grantMs < toMs)
  );
}

/** Figures before anything was ever written. */
export const emptyMeta: Meta = {
  dataId: "",
  granted: 0,
  released: 0,
  horizonMs: 0,
  acknowledged: 0,
  version: 0,
  limitChanges: 0,
  seeded: [],
};

function withTotals(meta: Meta, finished: readonly Lease[]): Meta {
  let { granted, released } = meta;
  for (const lease of finished) {
    granted = Math.max(granted, lease.token);
    released = Math.max(released, lease.ordinal);
  }
  return { ...meta, granted, released };
}

function startRows(live: readonly Row[], all: readonly Row[]): Row[] {
  const rated = new Set(live.flatMap((row) => (row.t === "limit" && (row.limit?.rate ?? 0) > 0 ? [row.name] : [])));
  if (rated.size === 0) return [];
  return all.flatMap((row) => (row.t === "lease" ? startsOf(row.lease, rated) : []));
}

/** The starts that a lease was under limits with a rate. */
export function startsOf(lease: Lease, rated: ReadonlySet<string>): Row[] {
  return lease.weights.flatMap(([limit]) =>
    rated.has(limit) ? [{ t: "start" as const, limit, wallMs: lease.grantMs }] : [],
  );
}
