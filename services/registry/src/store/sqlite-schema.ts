import type { Migration } from "@berth/chassis/engine";
import { SqliteLead } from "@berth/chassis/sqlite";

/**
 * Schema of `registry.db`. Released steps are never changed. Each index costs every task two to four microseconds a write, so those on history
 * hold only final tasks: a submission then writes the row, its key and `tasks_live`, an end moves it from there into the two of history.
 */
export const registryMigrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      ${SqliteLead.sql}
      CREATE TABLE tasks (
        ord INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        set_id TEXT NOT NULL,
        state TEXT NOT NULL,
        live INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        pool TEXT NOT NULL,
        pools TEXT NOT NULL,
        revision INTEGER NOT NULL,
        end_ms INTEGER NOT NULL,
        header TEXT NOT NULL,
        spec BLOB NOT NULL,
        body TEXT NOT NULL
      ) STRICT;
      CREATE INDEX tasks_live ON tasks (live) WHERE live = 1;
      CREATE INDEX tasks_set ON tasks (set_id, state, end_ms) WHERE live = 0;
      CREATE INDEX tasks_revision ON tasks (revision, end_ms) WHERE live = 0;
      CREATE TABLE sets (set_id TEXT PRIMARY KEY, display_name TEXT NOT NULL, create_ms INTEGER NOT NULL) STRICT;
      CREATE INDEX sets_create ON sets (create_ms, set_id);
      CREATE TABLE requests (
        request_id TEXT PRIMARY KEY, digest TEXT NOT NULL, set_id TEXT NOT NULL, task_count INTEGER NOT NULL,
        revision INTEGER NOT NULL, time_ms INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX requests_time ON requests (time_ms);
      CREATE TABLE base (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, cursor INTEGER NOT NULL, catalogue TEXT) STRICT;
      INSERT INTO base (id, revision, cursor, catalogue) VALUES (1, 0, 0, NULL);
    `,
  },
  // Limits of a set's own, as JSON; empty for none.
  { version: 2, sql: "ALTER TABLE sets ADD COLUMN limits TEXT NOT NULL DEFAULT ''" },
];
