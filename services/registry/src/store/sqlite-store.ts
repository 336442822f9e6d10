import type { Group, Loaded, Position } from "@berth/chassis/engine";
import {
  asCommitError,
  inTransaction,
  naming,
  openSqlite,
  type SqliteDatabase,
  SqliteLead,
} from "@berth/chassis/sqlite";
import type { Change, Filter, Row } from "../domain/commands.js";
import type { RequestRecord, SetRecord } from "../domain/submission.js";
import { isFinal, type TaskSnapshot, type TaskState } from "../domain/task.js";
import type { RegistryStore } from "../engine/store.js";
import { decodeLimits, decodeTask, encodeBody, encodeHeader, encodeLimits } from "./codec.js";
import { decodeChanges, encodeChanges, revisionAfter } from "./journal.js";
import { registryMigrations } from "./sqlite-schema.js";

type TaskRow = Parameters<typeof decodeTask>[0];

const taskColumns = "ord, key, tenant, header, body";
/** Oldest final tasks that one look at what may go considers. */
const pruneLookMax = 2_000;

/** The registry's store in one SQLite file. */
export class SqliteRegistryStore implements RegistryStore {
  private readonly database: SqliteDatabase;
  private readonly lead_: SqliteLead;
  private readonly statements;
  private readonly path: string;
  private closed = false;

  constructor(path: string) {
    this.path = path;
    this.database = openSqlite(path, registryMigrations);
    this.lead_ = new SqliteLead(this.database);
    const prepare = (sql: string) => this.database.prepare(sql);
    this.statements = {
      insert: prepare(
        "INSERT INTO tasks (ord, key, set_id, state, live, tenant, pool, pools, revision, end_ms, header, spec, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ),
      update: prepare(
        "UPDATE tasks SET state = ?, live = ?, pool = ?, revision = ?, end_ms = ?, body = ? WHERE ord = ?",
      ),
      set: prepare(
        "INSERT INTO sets (set_id, display_name, create_ms, limits) VALUES (?, ?, ?, ?) ON CONFLICT (set_id) DO UPDATE SET limits = excluded.limits",
      ),
      request: prepare(
        "INSERT OR REPLACE INTO requests (request_id, digest, set_id, task_count, revision, time_ms) VALUES (?, ?, ?, ?, ?, ?)",
      ),
      catalogue: prepare("UPDATE base SET catalogue = ? WHERE id = 1"),
      cursor: prepare("UPDATE base SET cursor = ? WHERE id = 1"),
      revision: prepare("UPDATE base SET revision = max(revision, ?) WHERE id = 1"),
      base: prepare("SELECT revision, cursor, catalogue FROM base WHERE id = 1"),
      live: prepare(`SELECT ${taskColumns} FROM tasks WHERE live = 1 ORDER BY ord`),
      liveSets: prepare(
        "SELECT set_id AS name FROM sets WHERE set_id IN (SELECT DISTINCT set_id FROM tasks WHERE live = 1)",
      ),
      // As bytes: the driver cuts a text that it reads at the first NUL.
      setRow: prepare(
        "SELECT set_id, CAST(display_name AS BLOB) AS display_name, create_ms, limits FROM sets WHERE set_id = ?",
      ),
      setCounts: prepare(
        "SELECT state, count(*) AS count, max(end_ms) AS endMs FROM tasks WHERE set_id = ? AND live = 0 GROUP BY state",
      ),
      state: prepare("SELECT state FROM tasks WHERE key = ?"),
      task: prepare(`SELECT ${taskColumns} FROM tasks WHERE key = ?`),
      specs: prepare("SELECT tasks.key, spec FROM json_each(?) AS wanted CROSS JOIN tasks ON tasks.key = wanted.value"),
      requestRow: prepare("SELECT * FROM requests WHERE request_id = ?"),
      sets: prepare(
        "SELECT set_id AS name FROM sets WHERE (create_ms, set_id) < (?, ?) AND substr(set_id, 1, length(?)) = ? ORDER BY create_ms DESC, set_id DESC LIMIT ?",
      ),
      // In order of their last change, which is that of their ends as long as the wall clock only goes forward; where it jumped, one look
      // steps over up to `pruneLookMax` that seem to have ended in the future.
      ended: prepare(
        `SELECT ord, key FROM tasks WHERE ord IN (SELECT ord FROM (SELECT ord, end_ms FROM tasks WHERE live = 0 ORDER BY revision LIMIT ${pruneLookMax}) WHERE end_ms < ? LIMIT ?)`,
      ),
      deleteTask: prepare("DELETE FROM tasks WHERE ord = ?"),
      deleteSets: prepare(
        "DELETE FROM sets WHERE create_ms < ? AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.set_id = sets.set_id)",
      ),
      deleteRequests: prepare("DELETE FROM requests WHERE time_ms < ?"),
    };
  }

  async lead(holder: string, seen?: number): Promise<Loaded<Change, Row>> {
    return naming(this.path, () => this.load(holder, seen));
  }

  private load(holder: string, seen: number | undefined): Loaded<Change, Row> {
    const { epoch, n, replayFrom } = this.lead_.take(holder, seen);
    const base = this.statements.base.get() as { revision: number; cursor: number; catalogue: string | null };
    const sets = (this.statements.liveSets.all() as { name: string }[])
      .map(({ name }) => this.readSet(name))
      .filter((set) => set !== undefined);
    const rows: Row[] = [
      {
        kind: "base",
        revision: base.revision,
        cursor: base.cursor,
        catalogue: base.catalogue === null ? undefined : JSON.parse(base.catalogue),
        sets,
      },
    ];
    for (const row of this.statements.live.iterate() as IterableIterator<TaskRow>)
      rows.push({ kind: "task", task: decodeTask(row), spec: undefined });
    const groups = this.lead_.from(replayFrom).map((group) => ({ n: group.n, changes: decodeChanges(group.changes) }));
    return { epoch, n, rows, groups };
  }

  async commit(group: Group<Change, Row>): Promise<void> {
    try {
      inTransaction(this.database, () => this.write(group));
    } catch (error) {
      throw asCommitError(this.path, error);
    }
  }

  async position(): Promise<Position> {
    const { epoch, n, holder } = this.lead_.position();
    return { epoch, n, holder };
  }

  async resign(epoch: number): Promise<void> {
    this.lead_.resign(epoch);
  }

  async close(): Promise<void> {
    if (!this.closed) this.database.close();
    this.closed = true;
  }

  async states(set: string, ids: readonly string[]): Promise<Map<string, TaskState>> {
    const found = new Map<string, TaskState>();
    for (const id of ids) {
      const row = this.statements.state.get(`${set}/${id}`) as { state: TaskState } | undefined;
      if (row) found.set(id, row.state);
    }
    return found;
  }

  async set(set: string): Promise<SetRecord | undefined> {
    return this.readSet(set);
  }

  async sets(before: { createMs: number; set: string } | undefined, max: number, prefix = ""): Promise<SetRecord[]> {
    const rows = this.statements.sets.all(
      before?.createMs ?? Number.MAX_SAFE_INTEGER,
      before?.set ?? "",
      prefix,
      prefix,
      max,
    ) as {
      name: string;
    }[];
    return rows.map(({ name }) => this.readSet(name)).filter((set) => set !== undefined);
  }

  async request(requestId: string): Promise<RequestRecord | undefined> {
    const row = this.statements.requestRow.get(requestId) as
      | { request_id: string; digest: string; set_id: string; task_count: number; revision: number; time_ms: number }
      | undefined;
    if (!row) return undefined;
    return {
      requestId,
      digest: row.digest,
      set: row.set_id,
      taskCount: row.task_count,
      revision: row.revision,
      timeMs: row.time_ms,
    };
  }

  async tasks(keys: readonly string[]): Promise<TaskSnapshot[]> {
    return keys.flatMap((key) => {
      const row = this.statements.task.get(key) as TaskRow | undefined;
      return row ? [decodeTask(row)] : [];
    });
  }

  async finals(filter: Filter, beforeOrder: number, max: number): Promise<TaskSnapshot[]> {
    return this.select(
      `SELECT ${taskColumns} FROM tasks WHERE live = 0 AND ord < ?`,
      filter,
      "ORDER BY ord DESC LIMIT ?",
      beforeOrder,
      max,
    );
  }

  async finalsSince(filter: Filter, afterRevision: number, max: number): Promise<TaskSnapshot[]> {
    return this.select(
      `SELECT ${taskColumns} FROM tasks WHERE live = 0 AND revision > ?`,
      filter,
      "ORDER BY revision LIMIT ?",
      afterRevision,
      max,
    );
  }

  async countFinals(filter: Filter): Promise<number> {
    const { sql, values } = where(filter);
    const row = this.database.prepare(`SELECT count(*) AS count FROM tasks WHERE live = 0${sql}`).get(...values) as {
      count: number;
    };
    return row.count;
  }

  async specs(keys: readonly string[]): Promise<Map<string, Uint8Array>> {
    // All in one call: a call costs more than the look at the index. libsql gives a BLOB as an ArrayBuffer, which has no `length`.
    const rows = this.statements.specs.all(JSON.stringify(keys)) as { key: string; spec: ArrayBuffer }[];
    return new Map(rows.map(({ key, spec }) => [key, new Uint8Array(spec)]));
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
    return inTransaction(this.database, () => {
      const ended = this.statements.ended.all(endedBeforeMs, max) as { ord: number; key: string }[];
      for (const { ord } of ended) this.statements.deleteTask.run(ord);
      this.statements.deleteRequests.run(requestsBeforeMs);
      this.statements.deleteSets.run(endedBeforeMs);
      return ended.map(({ key }) => key);
    });
  }

  private write({ epoch, n, wallMs, changes, rows, replayFrom }: Group<Change, Row>): void {
    this.lead_.move(epoch, n, replayFrom);
    for (const change of changes) this.writeAside(change);
    for (const row of rows) if (row.kind === "task") this.writeTask(row.task, row.spec);
    const revision = revisionAfter(changes);
    if (revision > 0) this.statements.revision.run(revision);
    const journal = encodeChanges(changes, rows);
    if (journal !== undefined) this.lead_.append(n, epoch, wallMs, journal);
    this.lead_.prune(replayFrom, 200);
  }

  private writeAside(change: Change): void {
    const { statements } = this;
    if (change.kind === "set") {
      const { set, displayName, createMs, limits } = change.record;
      statements.set.run(set, displayName, createMs, encodeLimits(limits));
    } else if (change.kind === "catalogue") statements.catalogue.run(JSON.stringify(change.catalogue));
    else if (change.kind === "cursor") statements.cursor.run(change.position);
    else if (change.kind === "request") {
      const { requestId, digest, set, taskCount, revision, timeMs } = change.record;
      statements.request.run(requestId, digest, set, taskCount, revision, timeMs);
    }
  }

  private writeTask(task: TaskSnapshot, spec: Uint8Array | undefined): void {
    const { header, status } = task;
    const { state, pool, revision, endMs } = status;
    const live = isFinal(state) ? 0 : 1;
    const body = encodeBody(task);
    if (spec) {
      const names = [header.order, header.key, header.set, state, live, header.tenant, pool, poolsText(header.pools)];
      this.statements.insert.run([...names, revision, endMs, encodeHeader(header), Buffer.from(spec), body]);
    } else this.statements.update.run([state, live, pool, revision, endMs, body, header.order]);
  }

  private readSet(name: string): SetRecord | undefined {
    const row = this.statements.setRow.get(name) as
      | { set_id: string; display_name: Buffer; create_ms: number; limits: string }
      | undefined;
    if (!row) return undefined;
    const counts = this.statements.setCounts.all(name) as { state: TaskState; count: number; endMs: number }[];
    return {
      set: name,
      displayName: row.display_name.toString("utf8"),
      createMs: row.create_ms,
      counts: Object.fromEntries(counts.map(({ state, count }) => [state, count])),
      endMs: Math.max(0, ...counts.map(({ endMs }) => endMs)),
      ...decodeLimits(row.limits),
    };
  }

  private select(head: string, filter: Filter, tail: string, bound: number, max: number): TaskSnapshot[] {
    const { sql, values } = where(filter);
    const rows = this.database.prepare(`${head}${sql} ${tail}`).all(bound, ...values, max) as TaskRow[];
    return rows.map(decodeTask);
  }
}

function where(filter: Filter): { sql: string; values: (string | number)[] } {
  const parts: string[] = [];
  const values: (string | number)[] = [];
  const add = (sql: string, ...added: readonly string[]): void => {
    parts.push(` AND ${sql}`);
    values.push(...added);
  };
  const marks = (count: number): string => Array.from({ length: count }, () => "?").join(", ");
  if (filter.set !== "") add("set_id = ?", filter.set);
  if (filter.tenant !== "") add("tenant = ?", filter.tenant);
  if (filter.states.length > 0) add(`state IN (${marks(filter.states.length)})`, ...filter.states);
  if (filter.keys.length > 0) add(`key IN (${marks(filter.keys.length)})`, ...filter.keys);
  if (filter.ids.length > 0) add(`substr(key, length(set_id) + 2) IN (${marks(filter.ids.length)})`, ...filter.ids);
  for (const [name, value] of Object.entries(filter.labels))
    add(
      "EXISTS (SELECT 1 FROM json_each(header, '$.labels') AS label WHERE label.key = ? AND label.value = ?)",
      name,
      value,
    );
  if (filter.pool !== "") add("(pool = ? OR instr(pools, ?) > 0)", filter.pool, poolsText([filter.pool]));
  return { sql: parts.join(""), values };
}

/** Names of pools so that one can be looked for: none holds a space. */
function poolsText(pools: readonly string[]): string {
  return ` ${pools.join(" ")} `;
}
