import type { Migration } from "@berth/chassis/engine";
import { PostgresLead } from "@berth/chassis/postgres";

/** Schema in PostgreSQL: the registry and its output together. Released steps are never changed. The indexes are those of SQLite's, for the same reasons. */
export const postgresMigrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
      ${PostgresLead.sql}
      CREATE TABLE tasks (
        ord bigint PRIMARY KEY,
        key text NOT NULL UNIQUE,
        set_id text NOT NULL,
        state text NOT NULL,
        live boolean NOT NULL,
        tenant text NOT NULL,
        pool text NOT NULL,
        pools text[] NOT NULL,
        revision bigint NOT NULL,
        end_ms bigint NOT NULL,
        header text NOT NULL,
        spec bytea NOT NULL,
        body text NOT NULL
      );
      CREATE INDEX tasks_live ON tasks (ord) WHERE live;
      CREATE INDEX tasks_set ON tasks (set_id, state, end_ms) WHERE NOT live;
      CREATE INDEX tasks_revision ON tasks (revision, end_ms) WHERE NOT live;
      CREATE TABLE sets (set_id text PRIMARY KEY, display_name text NOT NULL, create_ms bigint NOT NULL);
      CREATE INDEX sets_create ON sets (create_ms, set_id COLLATE "C");
      CREATE TABLE requests (
        request_id text PRIMARY KEY, digest text NOT NULL, set_id text NOT NULL, task_count bigint NOT NULL,
        revision bigint NOT NULL, time_ms bigint NOT NULL
      );
      CREATE INDEX requests_time ON requests (time_ms);
      CREATE TABLE base (id integer PRIMARY KEY CHECK (id = 1), revision bigint NOT NULL, cursor bigint NOT NULL, catalogue text);
      INSERT INTO base (id, revision, cursor, catalogue) VALUES (1, 0, 0, NULL);
      CREATE TABLE log_attempts (
        key text NOT NULL, attempt integer NOT NULL, next_at bigint NOT NULL, head bigint NOT NULL, tail bigint NOT NULL,
        PRIMARY KEY (key, attempt)
      );
      CREATE TABLE log_pieces (
        key text NOT NULL, attempt integer NOT NULL, at bigint NOT NULL, stderr boolean NOT NULL, data bytea NOT NULL,
        PRIMARY KEY (key, attempt, at)
      );
    `,
  },
  // Limits of a set's own, as JSON; empty for none.
  { version: 2, sql: "ALTER TABLE sets ADD COLUMN limits text NOT NULL DEFAULT ''" },
];
