import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommitRefused, LeadLost } from "../engine/index.js";
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
    expect(() => openSqlite(path, schema)).toThrow(/schema version 2, this program knows up to 1/);
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
