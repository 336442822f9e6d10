import type { Group } from "@berth/chassis/engine";
import { columns, lastOf, PostgresLead, toColumn } from "@berth/chassis/postgres";
import type { Change, Row } from "../domain/commands.js";
import { isFinal, type TaskSnapshot } from "../domain/task.js";
import { encodeBody, encodeHeader, encodeLimits } from "./codec.js";
import { revisionAfter } from "./journal.js";

/** Journal rows that one commit deletes at most. */
const journalPruneMax = 200;

/** A commit of the registry as one statement. The order of its values is that of {@link valuesOf}. */
export const commitStatement = {
  name: "commit",
  text: PostgresLead.statement(`
    sets_made AS (
      INSERT INTO sets (set_id, display_name, create_ms, limits)
      SELECT u.set_id, u.display_name, u.create_ms, u.limits
      FROM moved, unnest($6::text[], $7::text[], $8::bigint[], $9::text[]) AS u(set_id, display_name, create_ms, limits)
      ON CONFLICT (set_id) DO UPDATE SET limits = excluded.limits),
    requested AS (
      INSERT INTO requests (request_id, digest, set_id, task_count, revision, time_ms)
      SELECT u.request_id, u.digest, u.set_id, u.task_count, u.revision, u.time_ms
      FROM moved, unnest($10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[])
        AS u(request_id, digest, set_id, task_count, revision, time_ms)
      ON CONFLICT (request_id) DO UPDATE SET digest = excluded.digest, set_id = excluded.set_id, task_count = excluded.task_count,
        revision = excluded.revision, time_ms = excluded.time_ms),
    based AS (
      UPDATE base SET revision = greatest(revision, $16), cursor = coalesce($17::bigint, cursor), catalogue = coalesce($18::text, catalogue)
      FROM moved WHERE id = 1 AND ($16 > revision OR $17::bigint IS NOT NULL OR $18::text IS NOT NULL)),
    inserted AS (
      INSERT INTO tasks (ord, key, set_id, state, live, tenant, pool, pools, revision, end_ms, header, spec, body)
      SELECT u.ord, u.key, u.set_id, u.state, u.live, u.tenant, u.pool, string_to_array(u.pools, ' '), u.revision, u.end_ms, u.header, u.spec, u.body
      FROM moved, unnest($19::bigint[], $20::text[], $21::text[], $22::text[], $23::boolean[], $24::text[], $25::text[], $26::text[], $27::bigint[], $28::bigint[], $29::text[], $30::bytea[], $31::text[])
        AS u(ord, key, set_id, state, live, tenant, pool, pools, revision, end_ms, header, spec, body)),
    updated AS (
      UPDATE tasks SET state = u.state, live = u.live, pool = u.pool, revision = u.revision, end_ms = u.end_ms, body = u.body
      FROM moved, unnest($32::bigint[], $33::text[], $34::boolean[], $35::text[], $36::bigint[], $37::bigint[], $38::text[])
        AS u(ord, state, live, pool, revision, end_ms, body)
      WHERE tasks.ord = u.ord),
    forgotten AS (
      DELETE FROM journal USING moved
      WHERE journal.n IN (SELECT old.n FROM journal AS old WHERE old.n < $3 ORDER BY old.n LIMIT ${journalPruneMax}))`),
};

/** What a group gives to {@link commitStatement}. */
export function valuesOf({ changes, rows }: Group<Change, Row>): unknown[] {
  const of = <K extends Change["kind"]>(kind: K) =>
    changes.filter((change): change is Extract<Change, { kind: K }> => change.kind === kind);
  const tasks = lastOf(
    rows.flatMap((row) => (row.kind === "task" ? [row] : [])),
    ({ task, spec }) => `${spec ? "new" : "old"} ${task.header.order}`,
  );
  return [
    ...columns(
      // One row of a statement changes once: of two changes of a set the later one stands.
      lastOf(
        of("set").map(({ record }) => record),
        ({ set }) => set,
      ),
      ({ set }) => toColumn(set),
      ({ displayName }) => toColumn(displayName),
      ({ createMs }) => Math.round(createMs),
      ({ limits }) => encodeLimits(limits),
    ),
    ...columns(
      lastOf(
        of("request").map(({ record }) => record),
        ({ requestId }) => requestId,
      ),
      ({ requestId }) => toColumn(requestId),
      ({ digest }) => toColumn(digest),
      ({ set }) => toColumn(set),
      ({ taskCount }) => taskCount,
      ({ revision }) => revision,
      ({ timeMs }) => Math.round(timeMs),
    ),
    revisionAfter(changes),
    of("cursor").at(-1)?.position ?? null,
    catalogueText(of("catalogue").at(-1)),
    ...insertColumns(tasks.flatMap(({ task, spec }) => (spec ? [{ task, spec }] : []))),
    ...updateColumns(tasks.flatMap(({ task, spec }) => (spec ? [] : [task]))),
  ];
}

function catalogueText(change: Extract<Change, { kind: "catalogue" }> | undefined): string | null {
  return change ? JSON.stringify(change.catalogue) : null;
}

function insertColumns(inserts: readonly { readonly task: TaskSnapshot; readonly spec: Uint8Array }[]): unknown[][] {
  return columns(
    inserts,
    ({ task }) => task.header.order,
    ({ task }) => toColumn(task.header.key),
    ({ task }) => toColumn(task.header.set),
    ({ task }) => task.status.state,
    ({ task }) => !isFinal(task.status.state),
    ({ task }) => toColumn(task.header.tenant),
    ({ task }) => toColumn(task.status.pool),
    // Names of pools hold no space.
    ({ task }) => task.header.pools.map(toColumn).join(" "),
    ({ task }) => task.status.revision,
    ({ task }) => Math.round(task.status.endMs),
    ({ task }) => encodeHeader(task.header),
    ({ spec }) => spec,
    ({ task }) => encodeBody(task),
  );
}

function updateColumns(updates: readonly TaskSnapshot[]): unknown[][] {
  return columns(
    updates,
    ({ header }) => header.order,
    ({ status }) => status.state,
    ({ status }) => !isFinal(status.state),
    ({ status }) => toColumn(status.pool),
    ({ status }) => status.revision,
    ({ status }) => Math.round(status.endMs),
    encodeBody,
  );
}
