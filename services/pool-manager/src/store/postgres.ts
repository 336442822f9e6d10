import type { Group, Loaded, Position } from "@berth/chassis/engine";
import {
  fromColumn,
  PostgresLead,
  PostgresOpener,
  type PostgresTarget,
  type Run,
  toColumn,
} from "@berth/chassis/postgres";
import type { Change, Row } from "../domain/changes.js";
import { attemptOfKey, type Lease } from "../domain/lease.js";
import type { JournalPage, LeaseFilter, LimitChangeRow, PoolStore } from "../engine/ports.js";
import { liveRows, ratesOf, startRows } from "./live-rows.js";
import { commitStatement, limitColumn, valuesOf } from "./postgres-commit.js";
import { postgresMigrations } from "./postgres-schema.js";
import { replayOccupying } from "./replay.js";

type Body = { readonly body: string };

/** The store in one schema of a PostgreSQL database. */
export class PostgresPoolStore implements PoolStore {
  private readonly opener;

  /** The schema is opened, and made if it isn't there, at the first use. */
  constructor(target: PostgresTarget) {
    this.opener = new PostgresOpener(target, postgresMigrations, (database) => ({
      database,
      leader: new PostgresLead(database),
    }));
  }

  async lead(holder: string, seen?: number): Promise<Loaded<Change, Row>> {
    const { leader } = await this.opener.open();
    await leader.take(holder, seen);
    return leader.load(async (run, { epoch, n, replayFrom }) => {
      const groups = (await leader.from(replayFrom, run)).map(({ n, changes }) => ({ n, changes: changesOf(changes) }));
      return { epoch, n, rows: await this.liveRows(run), groups };
    });
  }

  async commit(group: Group<Change, Row>): Promise<void> {
    const { leader } = await this.opener.open();
    const changes = group.changes.length > 0 ? JSON.stringify(group.changes) : undefined;
    await leader.commit(group, changes, { ...commitStatement, values: valuesOf(group.rows) });
  }

  async position(): Promise<Position> {
    const { epoch, n, holder } = await (await this.opener.open()).leader.position();
    return { epoch, n, holder };
  }

  async resign(epoch: number): Promise<void> {
    await (await this.opener.open()).leader.resign(epoch);
  }

  close(): Promise<void> {
    return this.opener.close();
  }

  async finishedByKeys(keys: readonly string[]): Promise<Lease[]> {
    const refs = keys.map(attemptOfKey);
    const text = `SELECT body FROM lease JOIN unnest($1::text[], $2::integer[]) AS u(task, attempt) USING (task, attempt)
      WHERE release_ms IS NOT NULL`;
    return this.leases(text, [refs.map(({ task }) => toColumn(task)), refs.map(({ attempt }) => attempt)]);
  }

  async finishedByIds(ids: readonly string[]): Promise<Lease[]> {
    const text = "SELECT body FROM lease WHERE id = ANY ($1::text[]) AND release_ms IS NOT NULL";
    return this.leases(text, [ids.map(toColumn)]);
  }

  async listFinished(filter: LeaseFilter, beforeToken: number, max: number): Promise<Lease[]> {
    const clauses = ["release_ms IS NOT NULL", "token < $1"];
    const values: (string | number)[] = [beforeToken, max];
    const add = (clause: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      values.push(typeof value === "string" ? toColumn(value) : value);
      clauses.push(clause.replace("?", `$${values.length}`));
    };
    add("task = ?", filter.task);
    add("runner = ?", filter.runner);
    add("slot = ?", filter.slot);
    add("pool = ?", filter.pool);
    if (filter.limit !== undefined) {
      values.push(limitColumn(filter.limit));
      clauses.push(`$${values.length} = ANY (limits)`);
    }
    // The columns hold whole milliseconds; a bound between two of them is the next one.
    add("release_ms >= ?", filter.fromMs && Math.ceil(filter.fromMs));
    add("grant_ms < ?", filter.toMs && Math.ceil(filter.toMs));
    return this.leases(`SELECT body FROM lease WHERE ${clauses.join(" AND ")} ORDER BY token DESC LIMIT $2`, values);
  }

  async listLimitChanges(limit: string, beforeId: number, max: number): Promise<LimitChangeRow[]> {
    const { database } = await this.opener.open();
    const rows = await database.read<Body & { revision: number }>({
      text: "SELECT body, revision FROM limit_change WHERE id < $1 AND ($2 = '' OR limit_name = $2) ORDER BY id DESC LIMIT $3",
      values: [beforeId, toColumn(limit), max],
    });
    return rows.map(({ body, revision }) => ({ ...(JSON.parse(body) as LimitChangeRow), revision }));
  }

  async journalAfter(n: number, max: number): Promise<JournalPage> {
    const { database, leader } = await this.opener.open();
    return database.snapshot(async (run) => {
      const rows = await leader.from(n + 1, run, max + 1);
      const groups = rows
        .slice(0, max)
        .map((row) => ({ n: row.n, wallMs: row.wallMs, changes: changesOf(row.changes) }));
      const [first] = await run<{ n: number | null }>({ text: "SELECT min(n) AS n FROM journal" });
      return { groups, firstN: first?.n ?? (await leader.position(run)).n + 1, more: rows.length > max };
    });
  }

  async occupying(): Promise<{ n: number; leases: readonly Lease[] }> {
    const { database, leader } = await this.opener.open();
    return database.snapshot(async (run) => {
      const { n, replayFrom } = await leader.position(run);
      const groups = (await leader.from(replayFrom, run)).map(({ changes }) => changesOf(changes));
      return { n, leases: replayOccupying(await live(run), groups) };
    });
  }

  async prune(bounds: { journalBelow: number; endedBeforeMs: number; max: number }): Promise<number> {
    const { leader } = await this.opener.open();
    const [gone] = await leader.aside<{ count: number }>(
      `WITH
        led AS (SELECT replay_from FROM leader WHERE id = 1 AND epoch = $1 FOR SHARE),
        commits AS (DELETE FROM journal WHERE n IN (
          SELECT journal.n FROM led, journal WHERE journal.n < least($2, led.replay_from) ORDER BY journal.n LIMIT $4) RETURNING 1),
        leases AS (DELETE FROM lease WHERE token IN (
          SELECT token FROM led, lease WHERE release_ms < $3 ORDER BY release_ms LIMIT $4) RETURNING 1)
        SELECT (SELECT count(*) FROM commits) + (SELECT count(*) FROM leases) AS count`,
      [bounds.journalBelow, Math.round(bounds.endedBeforeMs), bounds.max],
    );
    return gone?.count ?? 0;
  }

  private async liveRows(run: Run): Promise<Row[]> {
    const config = bodies<Row>(await run<Body>({ text: "SELECT body FROM config ORDER BY kind, name" }));
    const tombstones = await run<{ key: string; wallMs: number }>({
      text: `SELECT key, wall_ms AS "wallMs" FROM tombstone`,
    });
    const [totals] = await run<{ granted: number | null; released: number | null }>({
      text: `SELECT (SELECT max(token) FROM lease) AS granted, (SELECT max(ordinal) FROM lease) AS released`,
    });
    const rows = liveRows({
      leases: await live(run),
      config,
      tombstones: tombstones.map(({ key, wallMs }) => ({ key: fromColumn(key), wallMs })),
      totals: totals ?? { granted: null, released: null },
    });
    const { limits, longestMs } = ratesOf(config);
    if (limits.size === 0) return rows;
    const text = "SELECT body FROM lease WHERE grant_ms >= (SELECT max(grant_ms) FROM lease) - $1 ORDER BY token";
    const recent = bodies<Lease>(await run<Body>({ text, values: [longestMs] }));
    return [...rows, ...startRows(recent, limits)];
  }

  private async leases(text: string, values: readonly unknown[]): Promise<Lease[]> {
    return bodies<Lease>(await (await this.opener.open()).database.read<Body>({ text, values }));
  }
}

async function live(run: Run): Promise<Lease[]> {
  return bodies<Lease>(await run<Body>({ text: "SELECT body FROM lease WHERE release_ms IS NULL ORDER BY token" }));
}

function bodies<Value>(rows: readonly Body[]): Value[] {
  return rows.map(({ body }) => JSON.parse(body) as Value);
}

function changesOf(text: string): Change[] {
  return JSON.parse(text) as Change[];
}
