import { CommitRefused } from "@berth/chassis/engine";
import { columns, lastOf, PostgresLead, toColumn } from "@berth/chassis/postgres";
import type { Row } from "../domain/changes.js";
import type { Lease } from "../domain/lease.js";

/** Names in one text, so that an array of such texts has one dimension, which is what `unnest` takes apart. */
const nameEnd = "\n";

/** A commit of the pool-manager as one statement. The order of its values is that of {@link valuesOf}. */
export const commitStatement = {
  name: "commit",
  // A late result rewrites a row; the attempt and the token stay what they are, and no other lease may take them.
  text: PostgresLead.statement(`
    leases AS (
      INSERT INTO lease (id, task, attempt, token, ordinal, runner, slot, pool, limits, grant_ms, release_ms, body)
      SELECT u.id, u.task, u.attempt, u.token, u.ordinal, u.runner, u.slot, u.pool, string_to_array(u.limits, E'\\n'), u.grant_ms, u.release_ms, u.body
      FROM moved, unnest($6::text[], $7::text[], $8::integer[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::text[])
        AS u(id, task, attempt, token, ordinal, runner, slot, pool, limits, grant_ms, release_ms, body)
      ON CONFLICT (id) DO UPDATE SET ordinal = excluded.ordinal, release_ms = excluded.release_ms, body = excluded.body),
    configured AS (
      INSERT INTO config (kind, name, body)
      SELECT u.kind, u.name, u.body FROM moved, unnest($18::text[], $19::text[], $20::text[]) AS u(kind, name, body)
      ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body),
    unconfigured AS (
      DELETE FROM config USING moved, unnest($21::text[], $22::text[]) AS u(kind, name)
      WHERE config.kind = u.kind AND config.name = u.name),
    tombstones AS (
      INSERT INTO tombstone (key, wall_ms) SELECT u.key, u.wall_ms FROM moved, unnest($23::text[], $24::bigint[]) AS u(key, wall_ms)
      ON CONFLICT (key) DO UPDATE SET wall_ms = excluded.wall_ms),
    risen AS (DELETE FROM tombstone USING moved, unnest($25::text[]) AS u(key) WHERE tombstone.key = u.key),
    limit_changes AS (
      INSERT INTO limit_change (id, limit_name, revision, body)
      SELECT u.id, u.limit_name, moved.n, u.body FROM moved, unnest($26::bigint[], $27::text[], $28::text[]) AS u(id, limit_name, body)
      ON CONFLICT (id) DO NOTHING)`),
};

/** What the rows of a group give to {@link commitStatement}. */
export function valuesOf(rows: readonly Row[]): unknown[] {
  const of = <T extends Row["t"]>(...kinds: T[]) =>
    rows.filter((row): row is Extract<Row, { t: T }> => kinds.includes(row.t as T));
  if (of("start").length > 0) throw new CommitRefused("a start is only read");
  const leases = lastOf(
    of("lease").map(({ lease }) => lease),
    ({ id }) => id,
  );
  const configs = lastOf(of("pool", "limit", "runner", "meta").map(configOf), ({ kind, name }) => `${kind} ${name}`);
  const tombstones = lastOf(of("tombstone"), ({ key }) => key);
  return [
    ...leaseColumns(leases),
    ...columns(
      configs.filter(({ body }) => body !== undefined),
      ({ kind }) => kind,
      ({ name }) => toColumn(name),
      ({ body }) => body,
    ),
    ...columns(
      configs.filter(({ body }) => body === undefined),
      ({ kind }) => kind,
      ({ name }) => toColumn(name),
    ),
    ...columns(
      tombstones.filter(({ wallMs }) => wallMs !== undefined),
      ({ key }) => toColumn(key),
      ({ wallMs = 0 }) => Math.round(wallMs),
    ),
    ...columns(
      tombstones.filter(({ wallMs }) => wallMs === undefined),
      ({ key }) => toColumn(key),
    ),
    ...columns(
      of("limitChange").map(({ change }) => change),
      ({ id }) => id,
      ({ limit }) => toColumn(limit),
      (change) => JSON.stringify(change),
    ),
  ];
}

function leaseColumns(leases: readonly Lease[]): unknown[][] {
  return columns(
    leases,
    ({ id }) => toColumn(id),
    ({ task }) => toColumn(task),
    ({ attempt }) => attempt,
    ({ token }) => token,
    ({ ordinal }) => ordinal,
    ({ runner }) => toColumn(runner),
    ({ slot }) => toColumn(slot),
    ({ pool }) => toColumn(pool),
    ({ weights }) => weights.map(([limit]) => limitColumn(limit)).join(nameEnd),
    ({ grantMs }) => Math.round(grantMs),
    ({ releaseMs }) => (releaseMs === undefined ? null : Math.round(releaseMs)),
    (lease) => JSON.stringify(lease),
  );
}

/** The name of a limit as `limits` has it: without the character that ends a name there. */
export function limitColumn(limit: string): string {
  return toColumn(limit).replaceAll(nameEnd, "\\n");
}

/** A row of `config`; without a body it is to be deleted. */
function configOf(row: Extract<Row, { t: "pool" | "limit" | "runner" | "meta" }>): {
  kind: string;
  name: string;
  body: string | undefined;
} {
  const body = (exists: boolean): string | undefined => (exists ? JSON.stringify(row) : undefined);
  switch (row.t) {
    case "pool":
      return { kind: row.t, name: row.name, body: body(row.pool !== undefined) };
    case "limit":
      return { kind: row.t, name: row.name, body: body(row.limit !== undefined) };
    case "runner":
      return { kind: row.t, name: row.runner, body: body(row.record !== undefined) };
    case "meta":
      return { kind: row.t, name: "", body: body(true) };
  }
}
