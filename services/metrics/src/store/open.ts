import { join } from "node:path";
import { makeFolder } from "@berth/chassis/folder";
import { type DatabaseSettings, targetOf } from "@berth/chassis/postgres";
import type { Retention, SampleStore } from "../engine/store.js";
import { PostgresSampleStore } from "./postgres.js";
import { SqliteSampleStore } from "./sqlite.js";

/** The store that the settings ask for: PostgreSQL if there is a database, SQLite in the data folder otherwise. */
export function openStore(settings: DatabaseSettings, retention: Retention): SampleStore {
  const target = targetOf(settings, "metrics");
  if (target) return new PostgresSampleStore(target, retention);
  makeFolder(settings.dataFolder);
  return new SqliteSampleStore(join(settings.dataFolder, "metrics.db"), retention);
}
