import type { Migration } from "@berth/chassis/engine";
import { columns, fromColumn, PostgresOpener, type PostgresTarget, toColumn } from "@berth/chassis/postgres";
import { minuteMs, type Point, rawFrom, spanStart } from "../domain/roll-up.js";
import type { Retention, Round, SampleStore } from "../engine/store.js";

const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      CREATE TABLE sample (
        limit_name text NOT NULL,
        wall_ms bigint NOT NULL,
        used bigint NOT NULL,
        capacity bigint NOT NULL,
        PRIMARY KEY (limit_name, wall_ms)
      );
      CREATE INDEX sample_by_time ON sample (wall_ms);
      CREATE TABLE minute (
        limit_name text NOT NULL,
        wall_ms bigint NOT NULL,
        used_sum double precision NOT NULL,
        samples bigint NOT NULL,
        used_max bigint NOT NULL,
        capacity bigint NOT NULL,
        PRIMARY KEY (limit_name, wall_ms)
      );
      CREATE INDEX minute_by_time ON minute (wall_ms);
      CREATE TABLE last_round (
        id integer PRIMARY KEY CHECK (id = 1),
        wall_ms bigint NOT NULL,
        revision bigint NOT NULL,
        queue_size bigint NOT NULL
      );
    `,
  },
];

/** Rows of each table that one round deletes at most, so that its transaction stays short; a round adds at most a thousand. */
const pruneMost = 5_000;

const prune = (table: string) => `DELETE FROM ${table} WHERE (limit_name, wall_ms) IN
  (SELECT limit_name, wall_ms FROM ${table} WHERE wall_ms < $1 ORDER BY wall_ms LIMIT $2)`;

/** Keeps the history in one schema of a PostgreSQL database. Two processes may write the same rounds: the later one replaces the other's. */
export class PostgresSampleStore implements SampleStore {
  private readonly retention: Retention;
  private readonly opener;

  /** The schema is opened, and made if it isn't there, at the first use. */
  constructor(target: PostgresTarget, retention: Retention) {
    this.opener = new PostgresOpener(target, migrations, (database) => ({
      database,
      session: database.session("samples"),
    }));
    this.retention = retention;
  }

  async append(round: Round): Promise<void> {
    const wallMs = Math.round(round.wallMs);
    const minute = spanStart(wallMs, minuteMs);
    const { rawMs, minutesMs } = this.retention;
    const limits = round.limits.map(({ limit }) => toColumn(limit));
    const { session } = await this.opener.open();
    await session.transaction(async (run) => {
      await run({
        text: `INSERT INTO sample (limit_name, wall_ms, used, capacity)
          SELECT u.limit_name, $1, u.used, u.capacity FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS u(limit_name, used, capacity)
          ON CONFLICT (limit_name, wall_ms) DO UPDATE SET used = excluded.used, capacity = excluded.capacity`,
        values: [
          wallMs,
          limits,
          ...columns(
            round.limits,
            ({ used }) => used,
            ({ capacity }) => capacity,
          ),
        ],
      });
      // A statement of its own, so that it sees the round.
      await run({
        text: `INSERT INTO minute (limit_name, wall_ms, used_sum, samples, used_max, capacity)
          SELECT s.limit_name, $1, sum(s.used)::double precision, count(*), max(s.used), min(u.capacity)
          FROM sample s JOIN unnest($3::text[], $4::bigint[]) AS u(limit_name, capacity) USING (limit_name)
          WHERE s.wall_ms >= $1 AND s.wall_ms < $2 GROUP BY s.limit_name
          ON CONFLICT (limit_name, wall_ms) DO UPDATE
          SET used_sum = excluded.used_sum, samples = excluded.samples, used_max = excluded.used_max, capacity = excluded.capacity`,
        values: [minute, minute + minuteMs, limits, round.limits.map(({ capacity }) => capacity)],
      });
      await run({
        text: `INSERT INTO last_round (id, wall_ms, revision, queue_size) VALUES (1, $1, $2, $3)
          ON CONFLICT (id) DO UPDATE SET wall_ms = excluded.wall_ms, revision = excluded.revision, queue_size = excluded.queue_size`,
        values: [wallMs, round.revision, round.queueSize],
      });
      await run({ text: prune("sample"), values: [wallMs - rawMs, pruneMost] });
      await run({ text: prune("minute"), values: [wallMs - minutesMs, pruneMost] });
    });
  }

  async latest(): Promise<Round | undefined> {
    const { database } = await this.opener.open();
    return database.snapshot(async (run) => {
      const [last] = await run<Omit<Round, "limits">>({
        text: `SELECT wall_ms AS "wallMs", revision, queue_size AS "queueSize" FROM last_round`,
      });
      if (!last) return undefined;
      const limits = await run<Round["limits"][number]>({
        text: `SELECT limit_name AS "limit", used, capacity FROM sample WHERE wall_ms = $1 ORDER BY limit_name COLLATE "C"`,
        values: [last.wallMs],
      });
      return { ...last, limits: limits.map((each) => ({ ...each, limit: fromColumn(each.limit) })) };
    });
  }

  async read(limit: string, fromMs: number, toMs: number, max: number): Promise<Point[]> {
    const { database } = await this.opener.open();
    return database.snapshot(async (run) => {
      const [last] = await run<{ wallMs: number }>({ text: `SELECT wall_ms AS "wallMs" FROM last_round` });
      if (!last) return [];
      const border = rawFrom(last.wallMs, this.retention.rawMs);
      return run<Point>({
        text: `SELECT wall_ms AS "wallMs", used_sum AS "usedSum", samples, used_max AS "usedMax", capacity FROM minute
            WHERE limit_name = $1 AND wall_ms >= $2 AND wall_ms < $3
          UNION ALL
          SELECT wall_ms, used::double precision, 1, used, capacity FROM sample WHERE limit_name = $1 AND wall_ms >= $4 AND wall_ms < $5
          ORDER BY 1 LIMIT $6`,
        values: [
          toColumn(limit),
          ...[fromMs, Math.min(toMs, border), Math.max(fromMs, border), toMs].map(Math.ceil),
          max,
        ],
      });
    });
  }

  close(): Promise<void> {
    return this.opener.close();
  }
}
