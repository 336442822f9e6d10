import { join } from "node:path";
import { type DatabaseSettings, targetOf } from "@berth/chassis/postgres";
import type { PoolStore } from "../engine/ports.js";
import { PostgresPoolStore } from "./postgres.js";
import { SqlitePoolStore } from "./sqlite.js";

/** The store that the settings ask for: PostgreSQL if there is a database, SQLite in the data folder otherwise. */
export function openStore(settings: DatabaseSettings): PoolStore {
  const target = targetOf(settings, "pool-manager");
  return target ? new PostgresPoolStore(target) : new SqlitePoolStore(join(settings.dataFolder, "pool-manager.db"));
}
