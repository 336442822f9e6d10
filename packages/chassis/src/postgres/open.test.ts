import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type PostgresServer, serversAvailable, startPostgres } from "@berth/testkit";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../config/index.js";
import { type Migration, SchemaTooNew } from "../engine/index.js";
import { DatabaseError, DatabaseUnusable, openPostgres } from "./index.js";

const first: Migration = { version: 1, sql: "CREATE TABLE one (id bigint PRIMARY KEY); INSERT INTO one VALUES (1)" };
const second: Migration = { version: 2, sql: "CREATE TABLE two (id bigint PRIMARY KEY)" };

describe.skipIf(!serversAvailable().postgres)("opening PostgreSQL (needs its programs)", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-postgres-"));
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ folder });
  }, 60_000);
  afterAll(async () => {
    await server.stop({ immediate: true });
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens a schema by the server's URL with some parts of it changed. */
  const open = (schema: string, migrations: readonly Migration[], change: Partial<URL> = {}, query = "") => {
    const url = Object.assign(new URL(server.url), change);
    return openPostgres({ url: new Secret(url.href + query), schema, service: "test" }, migrations);
  };
  async function asOwner(...statements: string[]): Promise<void> {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  }

  it("migrates forward, and opens again where nothing is to be done", async () => {
    await (await open("forward", [first])).close();
    const database = await open("forward", [first, second]);
    expect(await database.read({ text: "SELECT count(*) AS count FROM two" })).toEqual([{ count: 0 }]);
    expect(await database.read({ text: "SELECT version FROM schema_migrations ORDER BY version" })).toEqual([
      { version: 1 },
      { version: 2 },
    ]);
    await database.close();
  });

  it("lets several start at once: each step is taken once", async () => {
    const opening = Array.from({ length: 8 }, () => open("at_once", [first, second]));
    const databases = await Promise.all(opening);
    expect(await databases[0]?.read({ text: "SELECT count(*) AS count FROM one" })).toEqual([{ count: 1 }]);
    for (const database of databases) await database.close();
  });

  it("takes all steps or none", async () => {
    await expect(open("all_or_none", [first, { version: 2, sql: "CREATE TABLE broken (" }])).rejects.toThrow();
    const database = await open("all_or_none", [first]);
    expect(await database.read({ text: "SELECT to_regclass('broken') AS there" })).toEqual([{ there: null }]);
    await database.close();
  });

  it("refuses a schema of a newer program and leaves it as it is", async () => {
    await (await open("newer", [first, second])).close();
    const refused = open("newer", [first]);
    await expect(refused).rejects.toThrow(SchemaTooNew);
    await expect(refused).rejects.toThrow(/the schema newer of .* has schema version 2, this program knows up to 1/);
  });

  it("keeps two schemas of one database apart", async () => {
    const [left, right] = await Promise.all([open("left", [first]), open("right", [first])]);
    await left.session("test").run({ text: "INSERT INTO one VALUES (2)" });
    expect(await left.read({ text: "SELECT count(*) AS count FROM one" })).toEqual([{ count: 2 }]);
    expect(await right.read({ text: "SELECT count(*) AS count FROM one" })).toEqual([{ count: 1 }]);
    await Promise.all([left.close(), right.close()]);
  });

  it("says what to do about whatever keeps it from working, and never a password", async () => {
    await asOwner(
      "CREATE ROLE weak LOGIN PASSWORD 'hunter2'",
      "CREATE SCHEMA made_for_weak AUTHORIZATION weak",
      "CREATE SCHEMA closed",
    );
    const unused = await freePort();
    const hidden = new RegExp(`hunter2|${new URL(server.url).password}`);
    const weak = { username: "weak", password: "hunter2" };
    const cases: [string, Partial<URL>, string, RegExp][] = [
      ["s", { port: String(unused) }, "", /nothing listens at 127.0.0.1:\d+\. Start PostgreSQL, or correct/],
      ["s", { hostname: "no-such-host.invalid" }, "", /the host no-such-host.invalid isn't known here/],
      ["s", { pathname: "/nowhere" }, "", /there is no database nowhere\. Make it \(CREATE DATABASE/],
      ["s", { password: "wrong-hunter2" }, "", /refuses the user berth .* Correct user and password/],
      ["s", { password: "" }, "", /asks for a password/],
      ["s", {}, "?sslmode=verify-full", /encrypted connection failed .* Choose sslmode/],
      ["s", weak, "", /the user weak lacks a right .*CREATE SCHEMA "s" AUTHORIZATION "weak"/],
      ["closed", weak, "", /the user weak lacks a right/],
    ];
    for (const [schema, change, query, lesson] of cases) {
      const error = await open(schema, [first], change, query).then(
        () => undefined,
        (error: unknown) => error as Error,
      );
      expect(error).toBeInstanceOf(DatabaseUnusable);
      expect(error?.message).toMatch(lesson);
      expect(`${error?.stack} ${JSON.stringify(error)} ${String(error?.cause)}`).not.toMatch(hidden);
    }
    await (await open("made_for_weak", [first], weak)).close();
  });

  it("gives whole numbers as numbers, and an error for one that a number can't hold exactly", async () => {
    const database = await open("numbers", [first]);
    const { MAX_SAFE_INTEGER: most } = Number;
    const read = (value: bigint) => database.read({ text: "SELECT $1::bigint AS value", values: [value] });
    expect(await read(BigInt(most))).toEqual([{ value: most }]);
    expect(await read(-BigInt(most))).toEqual([{ value: -most }]);
    await expect(read(2n ** 53n)).rejects.toThrow(/9007199254740992 is beyond/);
    await expect(read(-(2n ** 63n))).rejects.toThrow(/-9223372036854775808 is beyond/);
    expect(await read(7n)).toEqual([{ value: 7 }]);
    await database.close();
  });

  it("rolls a transaction back whose work fails, and goes on", async () => {
    const database = await open("rolled_back", [first]);
    const session = database.session("test");
    const failing = session.transaction(async (run) => {
      await run({ text: "INSERT INTO one VALUES (2)" });
      await run({ text: "INSERT INTO one VALUES (2)" });
    });
    await expect(failing).rejects.toMatchObject({ name: "DatabaseError", code: "23505" });
    await session.transaction((run) => run({ text: "INSERT INTO one VALUES (3)" }));
    expect(await database.read({ text: "SELECT id FROM one ORDER BY id" })).toEqual([{ id: 1 }, { id: 3 }]);
    await database.close();
  });

  it("cuts off a session that stops inside a transaction, so that it locks nobody out", async () => {
    const database = await open("idle", [first]);
    const session = database.session("test");
    let locked: () => void = () => undefined;
    const ready = new Promise<void>((resolve) => {
      locked = resolve;
    });
    const stopped = session.transaction(async (run) => {
      await run({ text: "UPDATE one SET id = 5 WHERE id = 1" });
      locked();
      // As if the process were stopped here: nothing more is sent until the lock is gone.
      await database
        .session("other")
        .transaction((other) => other({ text: "SET LOCAL lock_timeout = 0; UPDATE one SET id = 6 WHERE id = 1" }));
      await run({ text: "SELECT 1" });
    });
    await ready;
    await expect(stopped).rejects.toThrow(DatabaseError);
    expect(await database.read({ text: "SELECT id FROM one" })).toEqual([{ id: 6 }]);
    await database.close();
  });

  it("connects again after the server was restarted, and after its connections were ended", async () => {
    const database = await open("again", [first]);
    const session = database.session("test");
    const read = () => session.run<{ id: number }>({ text: "SELECT id FROM one" });
    expect(await read()).toEqual([{ id: 1 }]);
    await server.stop({ immediate: true });
    await expect(read()).rejects.toThrow(DatabaseError);
    await server.start();
    expect(await read()).toEqual([{ id: 1 }]);
    expect(await database.read({ text: "SELECT id FROM one" })).toEqual([{ id: 1 }]);
    await asOwner(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'berth test %'",
    );
    await expect(eventually(read)).resolves.toEqual([{ id: 1 }]);
    await database.close();
  });
});

/** The first answer of something that may fail once or twice: a connection whose end hasn't been noticed yet. */
async function eventually<Value>(ask: () => Promise<Value>): Promise<Value> {
  for (let left = 3; ; left--) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}
