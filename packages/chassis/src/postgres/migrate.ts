import type pg from "pg";
import { type Migration, stepsFrom } from "../engine/schema.js";
import { quoted } from "./connect.js";
import { DatabaseUnusable, type Place, placeText } from "./errors.js";
import { ask } from "./session.js";

/** Oldest server that this is written for, as `server_version_num`. */
const oldestServer = 150_000;

/**
 * Brings a schema up to date, and makes it if it isn't there: all steps in one transaction. Of two processes that start at once the second waits
 * and finds nothing left to do. Where nothing is to be done, the right to read is enough.
 *
 * @throws SchemaTooNew if a newer program has been here; nothing is touched.
 */
export async function migrate(
  client: pg.Client,
  schema: string,
  migrations: readonly Migration[],
  place: Place,
): Promise<void> {
  await checkServer(client, place);
  const where = `the schema ${schema} of ${placeText(place)}`;
  if (stepsFrom(await versionOf(client, schema), migrations, where).length === 0) return;
  // A lock of the session, taken before the transaction: only the beginning of one lets the server forget what it remembers of tables that
  // weren't there when it last looked. It ends with the connection, which ends if we stop in between.
  await client.query("SET idle_session_timeout = '10s'");
  await ask(client, { text: "SELECT pg_advisory_lock(hashtextextended($1, 0))", values: [`berth ${schema}`] });
  await client.query("BEGIN");
  const version = await versionOf(client, schema);
  const steps = stepsFrom(version, migrations, where);
  if (version === 0) await makeSchema(client, schema);
  for (const { version: step, sql } of steps) {
    await client.query(sql);
    await ask(client, { text: "INSERT INTO schema_migrations (version) VALUES ($1)", values: [step] });
  }
  await client.query("COMMIT");
}

async function checkServer(client: pg.Client, place: Place): Promise<void> {
  const [server] = await ask<{ version: string; name: string; standby: boolean }>(client, {
    text: "SELECT current_setting('server_version_num') AS version, current_setting('server_version') AS name, pg_is_in_recovery() AS standby",
  });
  const at = `the database at ${placeText(place)} can't be used:`;
  if (Number(server?.version) < oldestServer)
    throw new DatabaseUnusable(`${at} it is PostgreSQL ${server?.name}. Use 15 or newer`);
  if (server?.standby)
    throw new DatabaseUnusable(`${at} it is a replica that can't be written. Let \`database\` name the primary server`);
}

/** Newest step that was taken; 0 where there is none. */
async function versionOf(client: pg.Client, schema: string): Promise<number> {
  const [found] = await ask<{ there: boolean }>(client, {
    text: "SELECT to_regclass($1) IS NOT NULL AS there",
    values: [`${quoted(schema)}.schema_migrations`],
  });
  if (!found?.there) return 0;
  const [row] = await ask<{ version: number | null }>(client, {
    text: "SELECT max(version) AS version FROM schema_migrations",
  });
  return row?.version ?? 0;
}

/** A schema that somebody has made for us is used as it is; so the right to make one isn't needed then. */
async function makeSchema(client: pg.Client, schema: string): Promise<void> {
  const [found] = await ask<{ there: boolean }>(client, {
    text: "SELECT to_regnamespace($1) IS NOT NULL AS there",
    values: [quoted(schema)],
  });
  if (!found?.there) await client.query(`CREATE SCHEMA ${quoted(schema)}`);
  await client.query(
    "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
  );
}
