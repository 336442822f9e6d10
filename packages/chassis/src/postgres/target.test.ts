import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError, describeConfig, loadConfig } from "../config/index.js";
import { databaseSchema, databaseUrl } from "./target.js";

const schema = z.strictObject({ database: databaseUrl().optional(), databaseSchema: databaseSchema("registry") });
const load = (environment: Record<string, string>) => loadConfig({ schema, environment });

function problem(environment: Record<string, string>): string {
  try {
    load(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  return "none";
}

describe("the setting of a database", () => {
  it("is a URL that is never shown", () => {
    const config = load({ BERTH_DATABASE: "postgres://berth:hunter2@db:5432/berth?sslmode=verify-full" });
    expect(config.database?.reveal()).toContain("hunter2");
    expect(config.databaseSchema).toBe("berth_registry");
    expect(describeConfig(config)).not.toContain("hunter2");
    expect(JSON.stringify(config)).not.toContain("hunter2");
  });

  it("may be left out", () => {
    expect(load({}).database).toBeUndefined();
  });

  it.each([
    ["hunter2", /must be a URL, postgres:\/\/user:password@host:port\/database/],
    ["mysql://u:hunter2@h/d", /begins with postgres:\/\//],
    ["postgres://u:hunter2@h", /names no database/],
    ["postgres://h/hunter2", /names no user/],
    ["postgres://u:hunter2@h/d?options=-c", /parameter "options"; after \? there may be: host, sslmode/],
    ["postgres://u:hunter2@h/d?sslmode=prefer", /sslmode="prefer"; it must be one of: disable, no-verify, verify-full/],
  ])("refuses %s and doesn't repeat it", (url, lesson) => {
    const message = problem({ BERTH_DATABASE: url });
    expect(message).toMatch(lesson);
    expect(message).not.toContain("hunter2");
  });

  it.each([
    ["Berth", /small letters/],
    ["a b", /small letters/],
    ["public", /choose another name/],
    ["pg_berth", /choose another name/],
    ["x".repeat(49), /has 49 characters, above the maximum of 48/],
  ])("refuses %s as a schema", (name, lesson) => {
    expect(problem({ BERTH_DATABASE_SCHEMA: name })).toMatch(lesson);
  });
});
