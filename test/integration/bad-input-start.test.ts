import { createHash } from "node:crypto";
import { accessSync, cpSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import Database from "libsql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli, freePorts, scratchFolder, startBerth } from "./harness/berth.js";
import { type Ended, start } from "./harness/command.js";
import { expectRefusal, expectWorking } from "./harness/refusal.js";

const folder = scratchFolder();
/** A data folder with a finished set, stopped in order; every test of damage begins with a copy of it. */
const sound = join(folder.path, "sound");
let held: Server;
let port = 0;

beforeAll(async () => {
  mkdirSync(sound);
  const berth = await startBerth(sound);
  await expectWorking(berth.client);
  await berth.stop();
  for (const file of files) withDatabase(join(sound, "berth-data", file), () => undefined);
  held = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => held.once("listening", resolve));
  port = (held.address() as { port: number }).port;
});
afterAll(async () => {
  await new Promise((resolve) => held.close(resolve));
  folder.remove();
});

const files = ["registry.db", "registry-logs.db", "pool-manager.db", "metrics.db"] as const;

function withDatabase(path: string, use: (database: Database.Database) => void): void {
  // SQLite would make a missing one, and damage to a file that nobody reads proves nothing.
  accessSync(path);
  const database = new Database(path);
  use(database);
  // What is in the write-ahead log only would hide damage to the file itself.
  database.pragma("wal_checkpoint(TRUNCATE)");
  database.close();
}

let folders = 0;

/** A copy of the sound folder, after `change` was at its data folder. */
function copyWith(change: (dataFolder: string) => void): string {
  const copy = join(folder.path, `copy-${++folders}`);
  cpSync(sound, copy, { recursive: true });
  change(join(copy, "berth-data"));
  return copy;
}

/** `berth up` over the data folder in `at`, on free ports but for those given. */
function up(at: string, ports: Partial<typeof freePorts> = {}): Promise<Ended> {
  const config = join(at, "berth.yaml");
  writeFileSync(config, JSON.stringify({ ports: { ...freePorts, ...ports }, dataFolder: "./berth-data" }));
  // As npx starts it: commands that are told are told as they were typed.
  const environment = { ...process.env, npm_command: "exec" };
  return start(process.execPath, [cli, "up", "--config", config], { cwd: at, environment }).ended;
}

/** Fingerprints of the files that hold what was acknowledged. */
const contents = (at: string) =>
  files.map((file) =>
    createHash("sha256")
      .update(readFileSync(join(at, "berth-data", file)))
      .digest("hex"),
  );

describe("berth up on a port in use names it, and leaves nothing running or locked:", () => {
  it.concurrent.each(Object.keys(freePorts) as (keyof typeof freePorts)[])("%s", async (which) => {
    const at = join(folder.path, `port-${which}`);
    mkdirSync(at, { recursive: true });
    expectRefusal(await up(at, { [which]: port }), [`127.0.0.1:${port} is in use`, "berth up --ports free"], 1);
    expect(readdirSync(join(at, "berth-data"))).not.toContain("endpoints.json");
  });

  it("and the folder serves as soon as the port is free", async () => {
    const berth = await startBerth(join(folder.path, "port-metricsHttp"));
    await expectWorking(berth.client);
    await berth.stop();
  });
});

describe("a second process on a data folder", () => {
  it("is refused by the first's process id, and the first goes on", async () => {
    const at = copyWith(() => undefined);
    const berth = await startBerth(at);
    expectRefusal(await up(at), [`berth-data is in use by process ${berth.child.pid}: stop it first, or choose`], 1);
    await expectWorking(berth.client);
    await berth.stop();
  });
});

describe("a data folder that can't be used is refused, naming the file and what to do, and left as it is:", () => {
  const damaged = (file: string) => `berth-data/${file} is damaged (`;
  const restore = "restore a copy of the whole data folder, or start with another one";
  it.concurrent.each<[what: string, change: (dataFolder: string) => void, ...expected: string[]]>([
    ...files.map((file): [string, (at: string) => void, ...string[]] => [
      `${file} cut off`,
      (at) => truncateSync(join(at, file), 5_000),
      damaged(file),
      restore,
    ]),
    [
      "registry.db is no database",
      (at) => writeFileSync(join(at, "registry.db"), "x".repeat(9_000)),
      damaged("registry.db"),
    ],
    ["lock.db is no database", (at) => writeFileSync(join(at, "lock.db"), "x".repeat(9_000)), damaged("lock.db")],
    ["declared.json is broken", (at) => writeFileSync(join(at, "declared.json"), "["), "berth-data/declared.json:1:"],
    ...files.map((file): [string, (at: string) => void, ...string[]] => [
      `${file} of a newer version`,
      (at) => withDatabase(join(at, file), (db) => db.pragma("user_version = 99")),
      `${file} has schema version 99, this program knows up to `,
      "start a program at least as new as the one that wrote it",
    ]),
  ])("%s", async (_, change, ...expected) => {
    const at = copyWith(change);
    const before = contents(at);
    const ended = await up(at);
    expectRefusal(ended, expected, ended.code ?? 0);
    expect(ended.code).not.toBe(0);
    expect(contents(at)).toEqual(before);
  });

  it("a file in the folder's place", async () => {
    const at = join(folder.path, "file");
    mkdirSync(at);
    writeFileSync(join(at, "berth-data"), "");
    expectRefusal(await up(at), ["berth-data: there is a file of this name where a folder is needed"]);
  });
});

describe("a folder that can't be made is refused at once, whoever asks for it:", () => {
  const nowhere = "/proc/nowhere/berth";
  it.skipIf(process.platform !== "linux").each([
    ["berth up --data", () => ["up", "--ports", "free", "--data", nowhere]],
    // Something answers there, so that the folder is what it comes to.
    [
      "berth runner --folder",
      () => ["runner", "--pool", "default", "--registry", `127.0.0.1:${port}`, "--folder", nowhere],
    ],
  ])("%s", async (_, args) => {
    const ended = await start(process.execPath, [cli, ...args()], { cwd: folder.path }).ended;
    expectRefusal(ended, [`${nowhere}: no folder can be made there: choose a folder in a place where you may write`]);
  });

  it("a file for the log that can't be opened", async () => {
    const args = ["up", "--ports", "free", "--data", join(folder.path, "log-data"), "--log", folder.path];
    const ended = await start(process.execPath, [cli, ...args], { cwd: folder.path }).ended;
    expectRefusal(ended, [`${folder.path}: this is a folder, not a file`]);
  });
});
