import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeConformance } from "./conformance.js";
import { MemoryDisk, MemoryStore } from "./memory.js";
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
