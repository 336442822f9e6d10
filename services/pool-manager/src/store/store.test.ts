import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "@berth/chassis/config";
import { type PostgresServer, serversAvailable, startPostgres } from "@berth/testkit";
import { afterAll, beforeAll, describe } from "vitest";
import { storeConformance } from "./conformance.js";
import { MemoryDisk, MemoryStore } from "./memory.js";
import { PostgresPoolStore } from "./postgres.js";
import { SqlitePoolStore } from "./sqlite.js";

storeConformance("memory", () => {
  const disk = new MemoryDisk();
  return { open: () => new MemoryStore(disk), dispose: () => undefined };
});

storeConformance("SQLite", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-pool-"));
  return {
    open: () => new SqlitePoolStore(join(folder, "pool-manager.db")),
    dispose: () => rmSync(folder, { recursive: true }),
  };
});

describe.skipIf(!serversAvailable().postgres)("PostgreSQL (needs its programs)", { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-pool-"));
  let server: PostgresServer;
  let schemas = 0;
  beforeAll(async () => {
    server = await startPostgres({ folder });
  }, 60_000);
  afterAll(async () => {
    await server.stop({ immediate: true });
    rmSync(folder, { recursive: true, force: true });
  });

  storeConformance("PostgreSQL", () => {
    const target = { url: new Secret(server.url), schema: `pool_${schemas++}`, service: "pool-manager" };
    return { open: () => new PostgresPoolStore(target), dispose: () => undefined };
  });
});
