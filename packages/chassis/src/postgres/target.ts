import { type Secret, secret } from "@berth/wire/config";
import { z } from "zod";

/** Parameters of a URL that say how to reach the server. What a session is like is Berth's to say, and a URL would win over it. */
const parameters = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const sslModes = ["disable", "no-verify", "verify-full"];
const shape = "postgres://user:password@host:port/database";

/** The setting `database`: a URL, kept as a {@link Secret}. Absent means SQLite in the data folder. */
export function databaseUrl() {
  return secret(problemOf);
}

function problemOf(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return `must be a URL, ${shape}`;
  }
  if (!/^postgres(ql)?:$/.test(url.protocol)) return `must be a URL that begins with postgres://, as ${shape}`;
  if (url.pathname.length < 2) return `names no database; it must be ${shape}`;
  if (url.username === "") return `names no user; it must be ${shape}`;
  const strange = [...url.searchParams.keys()].find((name) => !parameters.includes(name));
  if (strange !== undefined)
    return `has the parameter ${JSON.stringify(strange)}; after ? there may be: ${parameters.join(", ")}`;
  const mode = url.searchParams.get("sslmode") ?? "disable";
  return sslModes.includes(mode)
    ? undefined
    : `has sslmode=${JSON.stringify(mode)}; it must be one of: ${sslModes.join(", ")}`;
}

/** Longest name of a schema, so that the names made of it stay within PostgreSQL's 63 bytes. */
const schemaMax = 48;

/** The setting `databaseSchema`: the schema that a service keeps its tables in. */
export function databaseSchema(service: string) {
  return z
    .string()
    .regex(
      /^[a-z_][a-z0-9_]*$/,
      "must be a name of small letters, digits and _ that doesn't begin with a digit; it becomes a schema of the database",
    )
    .max(schemaMax)
    .refine((name) => !/^(pg_|public$|information_schema$)/.test(name), "is PostgreSQL's own; choose another name")
    .default(`berth_${service}`);
}

/** Where a store keeps what it keeps. */
export interface PostgresTarget {
  /** As {@link databaseUrl} checked it. */
  readonly url: Secret;
  /** As {@link databaseSchema} checked it. */
  readonly schema: string;
  /** Name of the service, for `application_name`. */
  readonly service: string;
}

/** The settings of a service that say where its store is. */
export interface DatabaseSettings {
  /** Absent: SQLite in the data folder. */
  readonly database?: Secret | undefined;
  readonly databaseSchema: string;
  readonly dataFolder: string;
}

/** The target that settings name; undefined for SQLite. */
export function targetOf({ database, databaseSchema }: DatabaseSettings, service: string): PostgresTarget | undefined {
  return database && { url: database, schema: databaseSchema, service };
}
