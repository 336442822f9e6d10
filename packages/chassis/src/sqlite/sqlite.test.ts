import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommitRefused, LeadLost, SchemaTooNew } from "../engine/index.js";
import { asCommitError, lockFolder, openSqlite, SqliteLead } from "./index.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-sqlite-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const schema = [{ version: 1, sql: SqliteLead.sql }];

describe("openSqlite", () => {
  it("migrates forward and opens again", () => {
    const path = join(folder, "a.db");
    openSqlite(path, schema).close();
    const database = openSqlite(path, [...schema, { version: 2, sql: "CREATE TABLE more (id INTEGER)" }]);
    expect(database.prepare("SELECT count(*) AS count FROM more").all()).toEqual([{ count: 0 }]);
    database.close();
  });

  it("refuses a file of a newer program and leaves it as it is", () => {
    const path = join(folder, "a.db");
    openSqlite(path, [...schema, { version: 2, sql: "CREATE TABLE more (id INTEGER)" }]).close();
    expect(() => openSqlite(path, schema)).toThrow(SchemaTooNew);
    expect(() => openSqlite(path, schema)).toThrow(/schema version 2, this program knows up to 1/);
  });

  describe("when it has to migrate what is there", () => {
    const path = () => join(folder, "a.db");
    const newer = [
      ...schema,
      { version: 2, sql: "CREATE TABLE two (id INTEGER)" },
      { version: 3, sql: "UPDATE leader SET holder = 'migrated'" },
    ];
    const files = () => readdirSync(folder).filter((name) => name.includes("before"));
    beforeEach(() => {
      const database = openSqlite(path(), schema);
      expect(new SqliteLead(database).take("before")).toMatchObject({ epoch: 1 });
      database.close();
    });

    it("keeps a copy from before, which the older program opens", () => {
      const migrated = openSqlite(path(), newer);
      expect(new SqliteLead(migrated).position().holder).toBe("migrated");
      migrated.close();
      expect(files()).toEqual(["a.db.before-v3"]);
      const before = openSqlite(join(folder, "a.db.before-v3"), schema);
      expect(new SqliteLead(before).position()).toMatchObject({ epoch: 1, holder: "before" });
      before.close();
    });

    it("takes all steps or none, and the next attempt copies anew", () => {
      const broken = [...newer.slice(0, 2), { version: 3, sql: "CREATE TABLE broken (" }];
      expect(() => openSqlite(path(), broken)).toThrow(/syntax|incomplete/);
      const older = openSqlite(path(), schema);
      expect(new SqliteLead(older).take("after")).toMatchObject({ epoch: 2 });
      older.close();
      openSqlite(path(), newer).close();
      const before = openSqlite(join(folder, "a.db.before-v3"), schema);
      expect(new SqliteLead(before).position()).toMatchObject({ epoch: 2, holder: "after" });
      before.close();
    });

    it("changes nothing if the copy can't be made, and says what to do", () => {
      mkdirSync(join(folder, "a.db.before-v3"));
      expect(() => openSqlite(path(), newer)).toThrow(
        /couldn't be copied to .*a\.db\.before-v3 .*Nothing was changed; make room/,
      );
      expect(files()).toEqual(["a.db.before-v3"]);
      const older = openSqlite(path(), schema);
      expect(new SqliteLead(older).position().holder).toBe("before");
      older.close();
    });

    it("takes over what a copy that was broken off has left", () => {
      writeFileSync(join(folder, "a.db.before-v3.partial"), "half a copy");
      openSqlite(path(), newer).close();
      expect(files()).toEqual(["a.db.before-v3"]);
    });
  });

  it("makes no copy where nothing is migrated", () => {
    const path = join(folder, "a.db");
    openSqlite(path, schema).close();
    openSqlite(path, schema).close();
    expect(readdirSync(folder).filter((name) => name.includes("before"))).toEqual([]);
  });

  it("turns a broken constraint into a refusal", () => {
    const database = openSqlite(join(folder, "a.db"), schema);
    database.exec("CREATE TABLE one (id INTEGER PRIMARY KEY)");
    database.exec("INSERT INTO one VALUES (1)");
    try {
      database.exec("INSERT INTO one VALUES (1)");
    } catch (error) {
      expect(asCommitError("a.db", error)).toBeInstanceOf(CommitRefused);
    }
    expect.assertions(1);
    database.close();
  });
});

describe("the leader row", () => {
  it("moves by one from where the leader left it, and nowhere else", () => {
    const database = openSqlite(join(folder, "a.db"), schema);
    const lead = new SqliteLead(database);
    expect(lead.take("first")).toMatchObject({ epoch: 1, n: 0 });
    lead.move(1, 1, 1);
    expect(() => lead.move(1, 1, 1)).toThrow(LeadLost);
    expect(lead.take("second")).toMatchObject({ epoch: 2, n: 1 });
    expect(() => lead.move(1, 2, 1)).toThrow(/at \(2, 1\), not at \(1, 1\)/);
    lead.move(2, 2, 1);
    database.close();
  });

  it("is taken from the epoch that was seen, and emptied by its holder only", () => {
    const database = openSqlite(join(folder, "a.db"), schema);
    const lead = new SqliteLead(database);
    lead.take("first");
    expect(lead.take("second", 1)).toMatchObject({ epoch: 2 });
    expect(() => lead.take("third", 1)).toThrow(/at epoch 2 \(second\), no longer at 1/);
    lead.resign(1);
    expect(lead.position().holder).toBe("second");
    lead.resign(2);
    expect(lead.position()).toMatchObject({ epoch: 2, holder: "" });
    database.close();
  });
});

describe("lockFolder", () => {
  const holder = `
    const Database = require(${JSON.stringify(createRequire(import.meta.url).resolve("libsql"))});
    const db = new Database(process.argv[1]);
    db.pragma("locking_mode = EXCLUSIVE");
    db.exec("BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (id INTEGER); COMMIT; BEGIN EXCLUSIVE");
    process.stdout.write("held");
    setInterval(() => {}, 1000);
  `;

  it("keeps a second process out, and lets it in once the first was killed", async () => {
    const child = spawn(process.execPath, ["-e", holder, join(folder, "lock.db")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    expect(() => lockFolder(folder)).toThrow(/is in use by .*choose another data folder/);
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
    lockFolder(folder).release();
  });

  it("names the process that has the folder", () => {
    const lock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(`in use by process ${process.pid}`);
    lock.release();
    lockFolder(folder).release();
  });
});
