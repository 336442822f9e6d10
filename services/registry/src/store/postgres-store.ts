import type { Group, Loaded, Position } from "@berth/chassis/engine";
import {
  fromColumn,
  PostgresLead,
  PostgresOpener,
  type PostgresTarget,
  type Run,
  toColumn,
} from "@berth/chassis/postgres";
import type { Change, Filter, Row } from "../domain/commands.js";
import type { RequestRecord, SetRecord } from "../domain/submission.js";
import type { TaskSnapshot, TaskState } from "../domain/task.js";
import type { LogStore } from "../engine/logs.js";
import type { RegistryStore } from "../engine/store.js";
import { decodeLimits, decodeTask } from "./codec.js";
import { decodeChanges, encodeChanges } from "./journal.js";
import { commitStatement, valuesOf } from "./postgres-commit.js";
import { PostgresLogStore } from "./postgres-logs.js";
import { pruneStatement } from "./postgres-prune.js";
import { type TaskColumns, taskColumns, where } from "./postgres-query.js";
import { postgresMigrations } from "./postgres-schema.js";

/** The registry's store in one schema of a PostgreSQL database. */
export class PostgresRegistryStore implements RegistryStore {
  private readonly opener;

  /** The schema is opened, and made if it isn't there, at the first use. */
  constructor(target: PostgresTarget) {
    this.opener = new PostgresOpener(target, postgresMigrations, (database) => ({
      database,
      leader: new PostgresLead(database),
    }));
  }

  /** The store of output, in the same schema. Closing it closes only what it has opened for itself. */
  logs(): LogStore {
    return new PostgresLogStore(async () => (await this.opener.open()).database);
  }

  async lead(holder: string, seen?: number): Promise<Loaded<Change, Row>> {
    const { leader } = await this.opener.open();
    await leader.take(holder, seen);
    return leader.load(async (run, { epoch, n, replayFrom }) => {
      const groups = (await leader.from(replayFrom, run)).map(({ n, changes }) => ({
        n,
        changes: decodeChanges(changes),
      }));
      return { epoch, n, rows: await liveRows(run), groups };
    });
  }

  async commit(group: Group<Change, Row>): Promise<void> {
    const { leader } = await this.opener.open();
    const journal = encodeChanges(group.changes, group.rows);
    await leader.commit(group, journal, { ...commitStatement, values: valuesOf(group) });
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

  async states(set: string, ids: readonly string[]): Promise<Map<string, TaskState>> {
    const idOf = new Map(ids.map((id) => [toColumn(`${set}/${id}`), id]));
    const rows = await this.read<{ key: string; state: TaskState }>(
      "SELECT key, state FROM tasks WHERE key = ANY ($1::text[])",
      [[...idOf.keys()]],
    );
    return new Map(rows.map(({ key, state }) => [idOf.get(key) ?? "", state]));
  }

  async set(set: string): Promise<SetRecord | undefined> {
    const { database } = await this.opener.open();
    return (await readSets((statement) => database.read(statement), [toColumn(set)]))[0];
  }

  async sets(before: { createMs: number; set: string } | undefined, max: number, prefix = ""): Promise<SetRecord[]> {
    const { database } = await this.opener.open();
    return database.snapshot(async (run) => {
      const names = await run<{ name: string }>({
        text: `SELECT set_id AS name FROM sets WHERE (create_ms, set_id COLLATE "C") < ($1, $2) AND starts_with(set_id, $4) ORDER BY create_ms DESC, set_id COLLATE "C" DESC LIMIT $3`,
        values: [before?.createMs ?? Number.MAX_SAFE_INTEGER, toColumn(before?.set ?? ""), max, toColumn(prefix)],
      });
      return readSets(
        run,
        names.map(({ name }) => name),
      );
    });
  }

  async request(requestId: string): Promise<RequestRecord | undefined> {
    const [row] = await this.read<RequestRecord>(
      `SELECT request_id AS "requestId", digest, set_id AS "set", task_count AS "taskCount", revision, time_ms AS "timeMs"
        FROM requests WHERE request_id = $1`,
      [toColumn(requestId)],
    );
    if (!row) return undefined;
    return { ...row, requestId, digest: fromColumn(row.digest), set: fromColumn(row.set) };
  }

  async tasks(keys: readonly string[]): Promise<TaskSnapshot[]> {
    if (keys.length === 0) return [];
    return this.select(`SELECT ${taskColumns} FROM tasks WHERE key = ANY ($1::text[])`, [keys.map(toColumn)]);
  }

  async finals(filter: Filter, beforeOrder: number, max: number): Promise<TaskSnapshot[]> {
    const { sql, values } = where(filter, [beforeOrder, max]);
    return this.select(
      `SELECT ${taskColumns} FROM tasks WHERE NOT live AND ord < $1${sql} ORDER BY ord DESC LIMIT $2`,
      values,
    );
  }

  async finalsSince(filter: Filter, afterRevision: number, max: number): Promise<TaskSnapshot[]> {
    const { sql, values } = where(filter, [afterRevision, max]);
    return this.select(
      `SELECT ${taskColumns} FROM tasks WHERE NOT live AND revision > $1${sql} ORDER BY revision LIMIT $2`,
      values,
    );
  }

  async countFinals(filter: Filter): Promise<number> {
    const { sql, values } = where(filter, []);
    const [row] = await this.read<{ count: number }>(
      `SELECT count(*) AS count FROM tasks WHERE NOT live${sql}`,
      values,
    );
    return row?.count ?? 0;
  }

  async specs(keys: readonly string[]): Promise<Map<string, Uint8Array>> {
    const rows = await this.read<{ key: string; spec: Uint8Array }>(
      "SELECT key, spec FROM tasks WHERE key = ANY ($1::text[])",
      [keys.map(toColumn)],
    );
    return new Map(rows.map(({ key, spec }) => [fromColumn(key), spec]));
  }

  async prune({
    endedBeforeMs,
    requestsBeforeMs,
    max,
  }: {
    endedBeforeMs: number;
    requestsBeforeMs: number;
    max: number;
  }): Promise<string[]> {
    const { leader } = await this.opener.open();
    const values = [Math.ceil(endedBeforeMs), Math.ceil(requestsBeforeMs), max];
    const gone = await leader.aside<{ key: string }>(pruneStatement, values);
    return gone.map(({ key }) => fromColumn(key));
  }

  private async select(text: string, values: readonly unknown[]): Promise<TaskSnapshot[]> {
    return (await this.read<TaskColumns>(text, values)).map(taskOf);
  }

  private async read<Row>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return (await this.opener.open()).database.read<Row>({ text, values });
  }
}

function taskOf(columns: TaskColumns): TaskSnapshot {
  return decodeTask({ ...columns, key: fromColumn(columns.key), tenant: fromColumn(columns.tenant) });
}

async function liveRows(run: Run): Promise<Row[]> {
  const [base] = await run<{ revision: number; cursor: number; catalogue: string | null }>({
    text: "SELECT revision, cursor, catalogue FROM base WHERE id = 1",
  });
  if (!base) throw new Error("the row of the table base is gone: somebody has deleted it");
  const names = await run<{ name: string }>({ text: "SELECT DISTINCT set_id AS name FROM tasks WHERE live" });
  const sets = await readSets(
    run,
    names.map(({ name }) => name),
  );
  const tasks = await run<TaskColumns>({ text: `SELECT ${taskColumns} FROM tasks WHERE live ORDER BY ord` });
  const { revision, cursor, catalogue } = base;
  return [
    { kind: "base", revision, cursor, catalogue: catalogue === null ? undefined : JSON.parse(catalogue), sets },
    ...tasks.map((columns): Row => ({ kind: "task", task: taskOf(columns), spec: undefined })),
  ];
}

/** Sets by their columns' names, in that order, with the counts of their final tasks. */
async function readSets(run: Run, names: readonly string[]): Promise<SetRecord[]> {
  const rows = await run<SetColumns>({
    text: `SELECT s.set_id AS name, s.display_name AS "displayName", s.create_ms AS "createMs", s.limits, c.state, c.count, c.end_ms AS "endMs"
      FROM unnest($1::text[]) WITH ORDINALITY AS u(set_id, place) JOIN sets s USING (set_id)
      LEFT JOIN LATERAL (
        SELECT state, count(*) AS count, max(end_ms) AS end_ms FROM tasks WHERE tasks.set_id = s.set_id AND NOT live GROUP BY state
      ) AS c ON true
      ORDER BY u.place`,
    values: [names],
  });
  const sets = new Map<string, SetRecord>();
  for (const { name, displayName, createMs, limits, state, count, endMs } of rows) {
    const set = sets.get(name) ?? {
      set: fromColumn(name),
      displayName: fromColumn(displayName),
      createMs,
      counts: {},
      endMs: 0,
      ...decodeLimits(limits),
    };
    const counted =
      state === null ? set : { ...set, counts: { ...set.counts, [state]: count }, endMs: Math.max(set.endMs, endMs) };
    sets.set(name, counted);
  }
  return [...sets.values()];
}

/** A set with one of its counts; a set without final tasks has one row whose state is null. */
interface SetColumns {
  readonly name: string;
  readonly displayName: string;
  readonly createMs: number;
  readonly limits: string;
  readonly state: TaskState | null;
  readonly count: number;
  readonly endMs: number;
}
