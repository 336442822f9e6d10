import type { Migration } from "@berth/chassis/engine";
import { inTransaction, naming, openSqlite, type SqliteDatabase } from "@berth/chassis/sqlite";
import { minuteMs, type Point, rawFrom, spanStart } from "../domain/roll-up.js";
import type { Retention, Round, SampleStore } from "../engine/store.js";

const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE sample (
        limit_name TEXT NOT NULL,
        wall_ms INTEGER NOT NULL,
        used INTEGER NOT NULL,
        capacity INTEGER NOT NULL,
        PRIMARY KEY (limit_name, wall_ms)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX sample_by_time ON sample (wall_ms);
      CREATE TABLE minute (
        limit_name TEXT NOT NULL,
        wall_ms INTEGER NOT NULL,
        used_sum INTEGER NOT NULL,
        samples INTEGER NOT NULL,
        used_max INTEGER NOT NULL,
        capacity INTEGER NOT NULL,
        PRIMARY KEY (limit_name, wall_ms)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX minute_by_time ON minute (wall_ms);
      CREATE TABLE last_round (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        wall_ms INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        queue_size INTEGER NOT NULL
      ) STRICT;
    `,
  },
];

/** Rows of each table that one round deletes at most, so that its transaction stays short; a round adds at most a thousand. */
const pruneMost = 5_000;

/** Keeps the history in one SQLite file. The caller holds the lock on its folder. */
export class SqliteSampleStore implements SampleStore {
  private readonly database: SqliteDatabase;
  private readonly retention: Retention;
  private readonly statements;

  private readonly path: string;

  /** Opens or creates the file. @throws Error if a newer version wrote it. */
  constructor(path: string, retention: Retention) {
    this.path = path;
    this.database = openSqlite(path, migrations, { synchronous: "NORMAL" });
    this.retention = retention;
    const prepare = (sql: string) => this.database.prepare(sql);
    const prune = (table: string) =>
      prepare(
        `DELETE FROM ${table} WHERE (limit_name, wall_ms) IN (SELECT limit_name, wall_ms FROM ${table} WHERE wall_ms < ? ORDER BY wall_ms LIMIT ?)`,
      );
    this.statements = {
      sample: prepare("INSERT OR REPLACE INTO sample (limit_name, wall_ms, used, capacity) VALUES (?, ?, ?, ?)"),
      minute: prepare(`
        INSERT OR REPLACE INTO minute (limit_name, wall_ms, used_sum, samples, used_max, capacity)
        SELECT limit_name, ?, sum(used), count(*), max(used), ? FROM sample WHERE limit_name = ? AND wall_ms >= ? AND wall_ms < ? GROUP BY limit_name`),
      last: prepare("INSERT OR REPLACE INTO last_round (id, wall_ms, revision, queue_size) VALUES (1, ?, ?, ?)"),
      pruneSamples: prune("sample"),
      pruneMinutes: prune("minute"),
      latest: prepare("SELECT wall_ms AS wallMs, revision, queue_size AS queueSize FROM last_round"),
      limits: prepare('SELECT limit_name AS "limit", used, capacity FROM sample WHERE wall_ms = ? ORDER BY limit_name'),
      read: prepare(`
        SELECT wall_ms AS wallMs, used_sum AS usedSum, samples, used_max AS usedMax, capacity FROM minute
          WHERE limit_name = ? AND wall_ms >= ? AND wall_ms < ?
        UNION ALL
        SELECT wall_ms, used, 1, used, capacity FROM sample WHERE limit_name = ? AND wall_ms >= ? AND wall_ms < ?
        ORDER BY 1 LIMIT ?`),
    };
  }

  async append(round: Round): Promise<void> {
    const wallMs = Math.round(round.wallMs);
    const minute = spanStart(wallMs, minuteMs);
    const { statements, retention } = this;
    const write = () => {
      for (const { limit, used, capacity } of round.limits) {
        statements.sample.run(limit, wallMs, used, capacity);
        statements.minute.run(minute, capacity, limit, minute, minute + minuteMs);
      }
      statements.last.run(wallMs, round.revision, round.queueSize);
      statements.pruneSamples.run(wallMs - retention.rawMs, pruneMost);
      statements.pruneMinutes.run(wallMs - retention.minutesMs, pruneMost);
    };
    naming(this.path, () => inTransaction(this.database, write));
  }

  async latest(): Promise<Round | undefined> {
    const [last] = this.statements.latest.all() as Omit<Round, "limits">[];
    return last && { ...last, limits: this.statements.limits.all(last.wallMs) as Round["limits"][number][] };
  }

  async read(limit: string, fromMs: number, toMs: number, max: number): Promise<Point[]> {
    const [last] = this.statements.latest.all() as { wallMs: number }[];
    if (!last) return [];
    const border = rawFrom(last.wallMs, this.retention.rawMs);
    const points = this.statements.read.all(
      limit,
      fromMs,
      Math.min(toMs, border),
      limit,
      Math.max(fromMs, border),
      toMs,
      max,
    );
    return points as Point[];
  }

  async close(): Promise<void> {
    this.database.close();
  }
}
