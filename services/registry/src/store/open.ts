import { join } from "node:path";
import { makeFolder } from "@berth/chassis/folder";
import { type DatabaseSettings, targetOf } from "@berth/chassis/postgres";
import type { LogStore } from "../engine/logs.js";
import type { RegistryStore } from "../engine/store.js";
import { PostgresRegistryStore } from "./postgres-store.js";
import { SqliteLogStore } from "./sqlite-logs.js";
import { SqliteRegistryStore } from "./sqlite-store.js";

/** Where the registry keeps what it keeps. */
export interface RegistryStores {
  readonly store: RegistryStore;
  readonly logs: LogStore;
}

/** The stores that the settings ask for: PostgreSQL if there is a database, SQLite in the data folder otherwise. */
export function openStores(settings: DatabaseSettings): RegistryStores {
  const target = targetOf(settings, "registry");
  if (target) {
    const store = new PostgresRegistryStore(target);
    return { store, logs: store.logs() };
  }
  const { dataFolder } = settings;
  makeFolder(dataFolder);
  return {
    store: new SqliteRegistryStore(join(dataFolder, "registry.db")),
    logs: new SqliteLogStore(join(dataFolder, "registry-logs.db")),
  };
}
