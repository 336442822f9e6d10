import { CommitRefused, type Group, LeadLost, type Loaded, type Position } from "@berth/chassis/engine";
import {
  asCommitError,
  inTransaction,
  naming,
  openSqlite,
  type SqliteDatabase,
  SqliteLead,
} from "@berth/chassis/sqlite";
import type { Change, Row } from "../domain/changes.js";
import { attemptOfKey, type Lease } from "../domain/lease.js";
import type { JournalPage, LeaseFilter, LimitChangeRow, PoolStore } from "../engine/ports.js";
import { liveRows, ratesOf, startRows } from "./live-rows.js";
import { replayOccupying } from "./replay.js";
import { migrations } from "./schema.js";

type Body = { readonly body: string };

/** The file once it is open: everything is prepared once. */
function openFile(path: string) {
  const database = openSqlite(path, migrations);
  return {
    database,
    leader: new SqliteLead(database),
    statements: {
      // A late result rewrites a row; the attempt and the token stay what they are, and no other lease may take them.
      putLease: database.prepare(
        `INSERT INTO lease (id, task, attempt, token, ordinal, runner, slot, pool, grant_ms, release_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET ordinal = excluded.ordinal, release_ms = excluded.release_ms, body = excluded.body`,
      ),
      putConfig: database.prepare(
        "INSERT INTO config (kind, name, body) VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
      ),
      dropConfig: database.prepare("DELETE FROM config WHERE kind = ? AND name = ?"),
      putTombstone: database.prepare(
        "INSERT INTO tombstone (key, wall_ms) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET wall_ms = excluded.wall_ms",
      ),
      dropTombstone: database.prepare("DELETE FROM tombstone WHERE key = ?"),
      putChange: database.prepare(
        "INSERT INTO limit_change (id, limit_name, revision, body) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
      ),
      live: database.prepare("SELECT body FROM lease WHERE release_ms IS NULL ORDER BY token"),
      // Many in one call: a call costs more than the look at the index.
      byKeys: database.prepare(
        `SELECT body FROM json_each(?) AS wanted CROSS JOIN lease
         ON task = json_extract(wanted.value, '$[0]') AND attempt = json_extract(wanted.value, '$[1]') AND release_ms IS NOT NULL`,
      ),
      byIds: database.prepare(
        "SELECT body FROM json_each(?) AS wanted CROSS JOIN lease ON lease.id = wanted.value AND release_ms IS NOT NULL",
      ),
      totals: database.prepare(
        "SELECT (SELECT max(token) FROM lease) AS granted, (SELECT max(ordinal) FROM lease) AS released",
      ),
      config: database.prepare("SELECT kind, name, body FROM config"),
      tombstones: database.prepare("SELECT key, wall_ms AS wallMs FROM tombstone"),
      recentGrants: database.prepare(
        "SELECT body FROM lease WHERE grant_ms >= (SELECT max(grant_ms) FROM lease) - ? ORDER BY token",
      ),
      changes: database.prepare(
        "SELECT body, revision FROM limit_change WHERE id < ?1 AND (?2 = '' OR limit_name = ?2) ORDER BY id DESC LIMIT ?3",
      ),
      prune: database.prepare("DELETE FROM lease WHERE id IN (SELECT id FROM lease WHERE release_ms < ? LIMIT ?)"),
    },
  };
}

/** The store in one SQLite file. Every call is synchronous inside, so what it reads is as of one commit. */
export class SqlitePoolStore implements PoolStore {
  private readonly path: string;
  private file: ReturnType<typeof openFile> | undefined;

  /** The file is opened, and created if it isn't there, at the first use. */
  constructor(path: string) {
    this.path = path;
  }

  private get database(): SqliteDatabase {
    return this.open().database;
  }

  private get leader(): SqliteLead {
    return this.open().leader;
  }

  private get statements(): ReturnType<typeof openFile>["statements"] {
    return this.open().statements;
  }

  private open(): ReturnType<typeof openFile> {
    this.file ??= openFile(this.path);
    return this.file;
  }

  async lead(holder: string, seen?: number): Promise<Loaded<Change, Row>> {
    const load = () => {
      const { epoch, n, replayFrom } = this.leader.take(holder, seen);
      const groups = this.leader
        .from(replayFrom)
        .map((row) => ({ n: row.n, changes: JSON.parse(row.changes) as Change[] }));
      return { epoch, n, rows: this.liveRows(), groups };
    };
    return naming(this.path, () => inTransaction(this.database, load));
  }

  async commit(group: Group<Change, Row>): Promise<void> {
    try {
      inTransaction(this.database, () => {
        this.leader.move(group.epoch, group.n, group.replayFrom);
        if (group.changes.length > 0)
          this.leader.append(group.n, group.epoch, group.wallMs, JSON.stringify(group.changes));
        for (const row of group.rows) this.write(row, group.n);
      });
    } catch (error) {
      if (error instanceof LeadLost || error instanceof CommitRefused) throw error;
      throw asCommitError(this.path, error);
    }
  }

  async position(): Promise<Position> {
    const { epoch, n, holder } = this.leader.position();
    return { epoch, n, holder };
  }

  async resign(epoch: number): Promise<void> {
    this.leader.resign(epoch);
  }

  async close(): Promise<void> {
    this.file?.database.close();
    this.file = undefined;
  }

  async finishedByKeys(keys: readonly string[]): Promise<Lease[]> {
    const wanted = keys.map((key) => {
      const { task, attempt } = attemptOfKey(key);
      return [task, attempt];
    });
    return leases(this.statements.byKeys.all(JSON.stringify(wanted)) as Body[]);
  }

  async finishedByIds(ids: readonly string[]): Promise<Lease[]> {
    return leases(this.statements.byIds.all(JSON.stringify(ids)) as Body[]);
  }

  async listFinished(filter: LeaseFilter, beforeToken: number, max: number): Promise<Lease[]> {
    const clauses = ["release_ms IS NOT NULL", "token < ?"];
    const values: (string | number)[] = [beforeToken];
    const add = (clause: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      clauses.push(clause);
      values.push(value);
    };
    add("task = ?", filter.task);
    add("runner = ?", filter.runner);
    add("slot = ?", filter.slot);
    add("pool = ?", filter.pool);
    add("EXISTS (SELECT 1 FROM json_each(body, '$.weights') WHERE json_extract(value, '$[0]') = ?)", filter.limit);
    add("release_ms >= ?", filter.fromMs);
    add("grant_ms < ?", filter.toMs);
    const sql = `SELECT body FROM lease WHERE ${clauses.join(" AND ")} ORDER BY token DESC LIMIT ?`;
    return leases(this.database.prepare(sql).all(...values, max) as Body[]);
  }

  async listLimitChanges(limit: string, beforeId: number, max: number): Promise<LimitChangeRow[]> {
    const rows = this.statements.changes.all(beforeId, limit, max) as (Body & { revision: number })[];
    return rows.map(({ body, revision }) => ({ ...(JSON.parse(body) as LimitChangeRow), revision }));
  }

  async journalAfter(n: number, max: number): Promise<JournalPage> {
    const rows = this.leader.from(n + 1, max + 1);
    const groups = rows
      .slice(0, max)
      .map((row) => ({ n: row.n, wallMs: row.wallMs, changes: JSON.parse(row.changes) as Change[] }));
    return { groups, firstN: this.leader.first() ?? this.leader.position().n + 1, more: rows.length > max };
  }

  async occupying(): Promise<{ n: number; leases: readonly Lease[] }> {
    const { n, replayFrom } = this.leader.position();
    const groups = this.leader.from(replayFrom).map((row) => JSON.parse(row.changes) as Change[]);
    return { n, leases: replayOccupying(leases(this.statements.live.all() as Body[]), groups) };
  }

  async prune(bounds: { journalBelow: number; endedBeforeMs: number; max: number }): Promise<number> {
    const { replayFrom } = this.leader.position();
    const commits = this.leader.prune(Math.min(bounds.journalBelow, replayFrom), bounds.max);
    return commits + this.statements.prune.run(bounds.endedBeforeMs, bounds.max).changes;
  }

  private liveRows(): Row[] {
    const config = (this.statements.config.all() as Body[]).map(({ body }) => JSON.parse(body) as Row);
    const rows = liveRows({
      leases: leases(this.statements.live.all() as Body[]),
      config,
      tombstones: this.statements.tombstones.all() as { key: string; wallMs: number }[],
      totals: this.statements.totals.get() as { granted: number | null; released: number | null },
    });
    const { limits, longestMs } = ratesOf(config);
    if (limits.size === 0) return rows;
    return [...rows, ...startRows(leases(this.statements.recentGrants.all(longestMs) as Body[]), limits)];
  }

  private write(row: Row, n: number): void {
    const { statements } = this;
    switch (row.t) {
      case "lease": {
        const { id, task, attempt, token, ordinal, runner, slot, pool, grantMs, releaseMs } = row.lease;
        const released = releaseMs === undefined ? null : Math.round(releaseMs);
        return void statements.putLease.run(
          id,
          task,
          attempt,
          token,
          ordinal,
          runner,
          slot,
          pool,
          Math.round(grantMs),
          released,
          JSON.stringify(row.lease),
        );
      }
      case "pool":
        return this.config(row, row.name, row.pool !== undefined);
      case "limit":
        return this.config(row, row.name, row.limit !== undefined);
      case "runner":
        return this.config(row, row.runner, row.record !== undefined);
      case "meta":
        return this.config(row, "", true);
      case "limitChange":
        return void statements.putChange.run(row.change.id, row.change.limit, n, JSON.stringify(row.change));
      case "tombstone":
        if (row.wallMs === undefined) statements.dropTombstone.run(row.key);
        else statements.putTombstone.run(row.key, Math.round(row.wallMs));
        return;
      case "start":
        throw new CommitRefused("a start is only read");
    }
  }

  private config(row: Row, name: string, exists: boolean): void {
    if (exists) this.statements.putConfig.run(row.t, name, JSON.stringify(row));
    else this.statements.dropConfig.run(row.t, name);
  }
}

function leases(rows: readonly Body[]): Lease[] {
  return rows.map(({ body }) => JSON.parse(body) as Lease);
}
