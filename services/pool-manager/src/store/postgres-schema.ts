import type { Migration } from "@berth/chassis/engine";
import { PostgresLead } from "@berth/chassis/postgres";

/** The schema in PostgreSQL, forward only. A released version is never changed. */
export const postgresMigrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      ${PostgresLead.sql}
      CREATE TABLE lease (
        token bigint PRIMARY KEY,
        id text NOT NULL UNIQUE,
        task text NOT NULL,
        attempt integer NOT NULL,
        ordinal bigint NOT NULL,
        runner text NOT NULL,
        slot text NOT NULL,
        pool text NOT NULL,
        limits text[] NOT NULL,
        grant_ms bigint NOT NULL,
        release_ms bigint,
        body text NOT NULL,
        UNIQUE (task, attempt)
      );
      CREATE INDEX lease_live ON lease (token) WHERE release_ms IS NULL;
      CREATE INDEX lease_ordinal ON lease (ordinal);
      CREATE INDEX lease_runner ON lease (runner);
      CREATE INDEX lease_release ON lease (release_ms);
      CREATE TABLE config (
        kind text NOT NULL,
        name text NOT NULL,
        body text NOT NULL,
        PRIMARY KEY (kind, name)
      );
      CREATE TABLE tombstone (key text PRIMARY KEY, wall_ms bigint NOT NULL);
      CREATE TABLE limit_change (
        id bigint PRIMARY KEY,
        limit_name text NOT NULL,
        revision bigint NOT NULL,
        body text NOT NULL
      );
      CREATE INDEX limit_change_name ON limit_change (limit_name, id);
    `,
  },
];
