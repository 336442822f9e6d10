import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PostgresServer, serversAvailable, startPostgres } from "@berth/testkit";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../clock/index.js";
import { Secret } from "../config/index.js";
import {
  type Core,
  Engine,
  type EngineStore,
  type Group,
  LeadLost,
  type Loaded,
  type Position,
} from "../engine/index.js";
import { silentLogger } from "../log/index.js";
import { openPostgres, type PostgresDatabase, PostgresLead, type PostgresTarget } from "./index.js";

/** A cell is written once; its row is final at once. */
type Cell = { readonly key: string; readonly value: number };

/** The smallest store that is built as those of the services are. */
class CellStore implements EngineStore<Cell, Cell> {
  static readonly migrations = [
    { version: 1, sql: `${PostgresLead.sql} CREATE TABLE cell (key text PRIMARY KEY, value bigint NOT NULL)` },
  ];
  static readonly statement = {
    name: "commit",
    text: PostgresLead.statement(
      "cells AS (INSERT INTO cell (key, value) SELECT u.key, u.value FROM moved, unnest($6::text[], $7::bigint[]) AS u(key, value))",
    ),
  };
  readonly database: PostgresDatabase;
  private readonly leader: PostgresLead;

  constructor(database: PostgresDatabase) {
    this.database = database;
    this.leader = new PostgresLead(database);
  }
  static async open(target: PostgresTarget): Promise<CellStore> {
    return new CellStore(await openPostgres(target, CellStore.migrations));
  }
  async lead(holder: string, seen?: number): Promise<Loaded<Cell, Cell>> {
    await this.leader.take(holder, seen);
    return this.leader.load(async (_run, { epoch, n }) => ({ epoch, n, rows: [], groups: [] }));
  }
  commit(group: Group<Cell, Cell>): Promise<void> {
    const values = [group.rows.map(({ key }) => key), group.rows.map(({ value }) => value)];
    return this.leader.commit(group, JSON.stringify(group.changes), { ...CellStore.statement, values });
  }
  position(): Promise<Position> {
    return this.leader.position();
  }
  resign(epoch: number): Promise<void> {
    return this.leader.resign(epoch);
  }
  close(): Promise<void> {
    return this.database.close();
  }
}

class Cells implements Core<Cell, number, Cell, Cell> {
  private readonly cells = new Map<string, Cell>();
  decide(cell: Cell) {
    this.apply(cell);
    return { outcome: cell.value, changes: [cell] };
  }
  apply(cell: Cell) {
    this.cells.set(cell.key, cell);
  }
  rowKey({ key }: Cell) {
    return key;
  }
  row(key: string) {
    const row = this.cells.get(key);
    return row && { row, final: true };
  }
  written(key: string) {
    this.cells.delete(key);
  }
}

describe.skipIf(!serversAvailable().postgres)("commits to PostgreSQL (needs its programs)", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-faults-"));
  let server: PostgresServer;
  let schemas = 0;
  let target: PostgresTarget;
  let person: pg.Client;
  const opened: { close(): unknown }[] = [];

  beforeAll(async () => {
    server = await startPostgres({ folder });
  }, 60_000);
  afterAll(async () => {
    await server.stop({ immediate: true });
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    target = { url: new Secret(server.url), schema: `faults_${schemas++}`, service: "test" };
    person = await connected();
  });
  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) await each.close();
  });

  /** A session beside the store, in its schema, without time-outs. */
  async function connected(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: server.url, options: `-c search_path=${target.schema}` });
    client.on("error", () => undefined);
    await client.connect();
    opened.push({ close: () => client.end().catch(() => undefined) });
    return client;
  }
  async function store(url = server.url): Promise<CellStore> {
    const made = await CellStore.open({ ...target, url: new Secret(url) });
    opened.push(made);
    return made;
  }
  async function engine(own: CellStore): Promise<{ engine: Engine<Cell, number, Cell, Cell>; failures: Error[] }> {
    const failures: Error[] = [];
    const made = new Engine<Cell, number, Cell, Cell>({
      core: new Cells(),
      store: own,
      load: () => undefined,
      clock: systemClock,
      logger: silentLogger,
      name: "test",
      onFailed: (error) => void failures.push(error),
    });
    await made.start();
    return { engine: made, failures };
  }
  const rows = async (table: string): Promise<unknown[]> =>
    (await person.query(`SELECT * FROM ${target.schema}.${table} ORDER BY 1`)).rows;
  /** Resolves once a session waits for a lock. */
  async function somebodyWaits(): Promise<void> {
    for (;;) {
      const { rows: waiting } = await person.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'berth test %'",
      );
      if (waiting.length > 0) return;
    }
  }

  it("refuses a former leader's commit, and writes nothing of it", async () => {
    const [former, latter] = [await store(), await store()];
    await former.lead("former");
    await latter.lead("latter", 1);
    await expect(former.commit(group(1, 1, "zombie"))).rejects.toThrow(LeadLost);
    await latter.commit(group(2, 1, "right"));
    expect(await rows("cell")).toMatchObject([{ key: "right" }]);
    expect(await rows("journal")).toMatchObject([{ n: "1", epoch: "2" }]);
  });

  it("refuses it also when it had begun before the takeover ended", async () => {
    const former = await store();
    await former.lead("former");
    // A takeover that holds the row; the commit that comes meanwhile waits for it with the old row in its hands.
    await person.query("BEGIN");
    await person.query("UPDATE leader SET epoch = epoch + 1, holder = 'latter'");
    const commit = former.commit(group(1, 1, "zombie"));
    commit.catch(() => undefined);
    const watcher = person;
    person = await connected();
    await somebodyWaits();
    await watcher.query("COMMIT");
    await expect(commit).rejects.toThrow(/the leader row is at \(2, 0\), not at \(1, 0\)/);
    expect(await rows("cell")).toEqual([]);
    expect(await rows("journal")).toEqual([]);
  });

  it("isn't kept from taking over by a leader that was stopped between BEGIN and COMMIT, whose commit comes to nothing", async () => {
    const former = await store();
    await former.lead("former");
    // A session that holds the row and sends no more, without any time-out of its own.
    await person.query("BEGIN");
    await person.query("UPDATE leader SET n = n + 1 WHERE epoch = 1");
    await person.query("INSERT INTO cell VALUES ('stopped', 1)");
    const stopped = person;
    person = await connected();
    const [latter, other] = [await store(), await store()];
    expect(await latter.position()).toEqual({ epoch: 1, n: 0, holder: "former", replayFrom: 1 });
    const takings = await Promise.allSettled([latter.lead("latter", 1), other.lead("other", 1)]);
    // One of the two that waited leads, and the other knows it.
    expect(takings.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(takings.find((each) => each.status === "rejected")).toMatchObject({ reason: { name: "LeadLost" } });
    expect(await latter.position()).toMatchObject({ epoch: 2, n: 0 });
    await expect(stopped.query("COMMIT")).rejects.toThrow();
    expect(await rows("cell")).toEqual([]);
  });

  it("loads nothing for a leader that was deposed meanwhile", async () => {
    const [former, latter] = await Promise.all(
      [await store(), await store()].map(async ({ database }) => new PostgresLead(database)),
    );
    await former?.take("former");
    await latter?.take("latter");
    await expect(former?.load(async () => "loaded")).rejects.toThrow(LeadLost);
    expect(await latter?.load(async (_run, { epoch }) => epoch)).toBe(2);
  });

  it("lets one of several take over", async () => {
    await (await store()).lead("former");
    const standbys = await Promise.all([store(), store(), store(), store()]);
    const takings = await Promise.allSettled(standbys.map((each, index) => each.lead(`standby ${index}`, 1)));
    expect(takings.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(takings.filter((each) => each.status === "rejected" && each.reason instanceof LeadLost)).toHaveLength(3);
    expect(await standbys[0]?.position()).toMatchObject({ epoch: 2 });
  });

  it("settles a commit whose connection was ended before it was done: it is made once", async () => {
    const { engine: own, failures } = await engine(await store());
    // The commit waits for this table until its connection is gone.
    await person.query("BEGIN");
    await person.query("LOCK TABLE journal IN SHARE MODE");
    const answer = own.submit({ key: "a", value: 1 });
    const watcher = person;
    person = await connected();
    await somebodyWaits();
    await person.query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'berth test commits'",
    );
    await watcher.query("COMMIT");
    expect(await answer).toBe(1);
    expect(await rows("cell")).toEqual([{ key: "a", value: "1" }]);
    expect(await rows("journal")).toMatchObject([{ n: "1" }]);
    expect(failures).toEqual([]);
    await own.stop();
  });

  it("settles a commit that was done and whose answer was lost: it isn't made again", async () => {
    const cutter = await startCutter(server.port);
    opened.push(cutter);
    const url = new URL(server.url);
    url.port = String(cutter.port);
    const { engine: own, failures } = await engine(await store(url.href));
    expect(await own.submit({ key: "a", value: 1 })).toBe(1);
    cutter.cutNextAnswer();
    expect(await own.submit({ key: "b", value: 2 })).toBe(2);
    expect(cutter.cuts).toBe(1);
    expect(await own.submit({ key: "c", value: 3 })).toBe(3);
    expect(await rows("cell")).toMatchObject([{ key: "a" }, { key: "b" }, { key: "c" }]);
    expect(await rows("journal")).toMatchObject([{ n: "1" }, { n: "2" }, { n: "3" }]);
    expect(failures).toEqual([]);
    await own.stop();
  });

  it("loses nothing that was acknowledged when the server is stopped at once in the middle of commits, and makes nothing twice", async () => {
    const { engine: own, failures } = await engine(await store());
    const acknowledged: number[] = [];
    let next = 0;
    let restarted = false;
    const client = async (): Promise<void> => {
      for (let after = 0; after < 20; ) {
        const value = next++;
        // What is answered STORE_STALLED may have been committed all the same: its fate stays open, as it does for any caller.
        await own.submit({ key: `k${value}`, value }).then(
          () => acknowledged.push(value),
          () => new Promise((resolve) => setImmediate(resolve)),
        );
        if (restarted) after++;
      }
    };
    const restart = async (): Promise<void> => {
      for (let round = 0; round < 2; round++) {
        const enough = acknowledged.length + 50;
        while (acknowledged.length < enough) await new Promise((resolve) => setImmediate(resolve));
        await server.stop({ immediate: true });
        await server.start();
      }
      restarted = true;
    };
    await Promise.all([restart(), ...Array.from({ length: 8 }, client)]);
    person = await connected();
    const cells = (await rows("cell")) as { value: string }[];
    const present = new Set(cells.map(({ value }) => Number(value)));
    expect(acknowledged.filter((value) => !present.has(value))).toEqual([]);
    const journal = (await rows("journal")) as { n: string; changes: string }[];
    expect(journal.map(({ n }) => Number(n))).toEqual(journal.map((_, index) => index + 1));
    expect(journal.flatMap(({ changes }) => JSON.parse(changes) as Cell[])).toHaveLength(present.size);
    expect(failures).toEqual([]);
    await own.stop();
  });

  it("ends the engine of a former leader, which answers nothing more", async () => {
    const { engine: own, failures } = await engine(await store());
    await (await store()).lead("latter", 1);
    await expect(own.submit({ key: "a", value: 1 })).rejects.toThrow(/lost its leadership/);
    expect(failures).toMatchObject([{ name: "LeadLost" }]);
    expect(await rows("cell")).toEqual([]);
  });

  it("needn't wait for a leader that has stopped in good order", async () => {
    const { engine: own } = await engine(await store());
    const standby = await store();
    expect(await standby.position()).toMatchObject({ epoch: 1, holder: "test" });
    await own.stop();
    expect(await standby.position()).toMatchObject({ epoch: 1, holder: "" });
  });
});

function group(epoch: number, n: number, key: string): Group<Cell, Cell> {
  const cell = { key, value: n };
  return { epoch, n, wallMs: n, changes: [cell], rows: [cell], replayFrom: n + 1 };
}

interface Cutter {
  readonly port: number;
  /** Answers that were cut. */
  readonly cuts: number;
  /** Ends the connection over which the server answers next, without passing the answer on. */
  cutNextAnswer(): void;
  close(): void;
}

/** Stands between a client and a server and passes everything on. */
async function startCutter(serverPort: number): Promise<Cutter> {
  let armed = false;
  let cuts = 0;
  const between: Server = createServer((client) => {
    const upstream = connect(serverPort, "127.0.0.1");
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on("error", end).on("close", end);
    upstream.on("error", end).on("close", end);
    client.on("data", (data) => upstream.write(data));
    upstream.on("data", (data) => {
      if (!armed) return void client.write(data);
      armed = false;
      cuts++;
      end();
    });
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  return {
    port: (between.address() as { port: number }).port,
    get cuts() {
      return cuts;
    },
    cutNextAnswer() {
      armed = true;
    },
    close() {
      between.close();
    },
  };
}
