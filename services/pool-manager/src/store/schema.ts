import type { Migration } from "@berth/chassis/engine";
import { SqliteLead } from "@berth/chassis/sqlite";

/** The schema, forward only. A released version is never changed. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      ${SqliteLead.sql}
      CREATE TABLE lease (
        token INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        task TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        ordinal INTEGER NOT NULL,
        runner TEXT NOT NULL,
        slot TEXT NOT NULL,
        pool TEXT NOT NULL,
        grant_ms INTEGER NOT NULL,
        release_ms INTEGER,
        body TEXT NOT NULL,
        UNIQUE (task, attempt)
      ) STRICT;
      CREATE INDEX lease_live ON lease (token) WHERE release_ms IS NULL;
      CREATE INDEX lease_ordinal ON lease (ordinal);
      CREATE INDEX lease_runner ON lease (runner);
      CREATE INDEX lease_release ON lease (release_ms);
      CREATE TABLE config (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE tombstone (key TEXT PRIMARY KEY, wall_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE limit_change (
        id INTEGER PRIMARY KEY,
        limit_name TEXT NOT NULL,
        revision INTEGER NOT NULL,
        body TEXT NOT NULL
      ) STRICT;
      CREATE INDEX limit_change_name ON limit_change (limit_name, id);
    `,
  },
];
