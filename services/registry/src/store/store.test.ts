import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "@berth/chassis/config";
import { type PostgresServer, serversAvailable, startPostgres } from "@berth/testkit";
import { afterAll, beforeAll, describe } from "vitest";
import { type RegistryFixture, storeConformance } from "./conformance.js";
import { logsConformance } from "./logs-conformance.js";
import { openStores } from "./open.js";

function sqlite(): RegistryFixture {
  const dataFolder = mkdtempSync(join(tmpdir(), "berth-registry-"));
  return {
    open: () => openStores({ dataFolder, databaseSchema: "unused" }),
    dispose: () => rmSync(dataFolder, { recursive: true, force: true }),
  };
}

storeConformance("SQLite", sqlite);
logsConformance("SQLite", sqlite);

describe.skipIf(!serversAvailable().postgres)("PostgreSQL (needs its programs)", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-registry-"));
  let server: PostgresServer;
  let schemas = 0;
  beforeAll(async () => {
    server = await startPostgres({ folder });
  }, 60_000);
  afterAll(async () => {
    await server.stop({ immediate: true });
    rmSync(folder, { recursive: true, force: true });
  });

  function postgres(): RegistryFixture {
    const settings = { dataFolder: "", database: new Secret(server.url), databaseSchema: `registry_${schemas++}` };
    return { open: () => openStores(settings), dispose: () => undefined };
  }

  storeConformance("PostgreSQL", postgres);
  logsConformance("PostgreSQL", postgres);
});
