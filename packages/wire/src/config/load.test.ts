import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError, describeConfig, duration, loadConfig, Secret, secret } from "./index.js";

const schema = z.strictObject({
  name: z.string().default("berth"),
  poolManager: z
    .strictObject({ port: z.int().min(0).max(65_535).default(50_052), heartbeatTimeout: duration().default(60_000) })
    .prefault({}),
  pools: z
    .record(z.string(), z.strictObject({ maxConcurrency: z.int().min(0), labels: z.array(z.string()).default([]) }))
    .default({}),
  pretty: z.boolean().default(false),
  apiKey: secret().optional(),
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(text: string): string {
  const path = join(folder, "berth.yaml");
  writeFileSync(path, text);
  return path;
}

function refusal(options: Partial<Parameters<typeof loadConfig>[0]>): string {
  try {
    loadConfig({ schema, environment: {}, ...options });
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(folder, "");
    throw error;
  }
  return "accepted";
}

describe("loadConfig", () => {
  it("lets flags win over the environment, that over the file, that over defaults", () => {
    const path = file("name: file\npoolManager: {port: 1, heartbeatTimeout: 10s}\n");
    const environment = { BERTH_NAME: "environment", BERTH_POOL_MANAGER__PORT: "2" };
    const config = loadConfig({ schema, file: path, environment, flags: { "poolManager.port": "3", name: undefined } });
    expect(config).toMatchObject({
      name: "environment",
      poolManager: { port: 3, heartbeatTimeout: 10_000 },
      pretty: false,
    });
  });

  it("reads numbers, truths, lists, spans and free names from the environment", () => {
    const config = loadConfig({
      schema,
      file: file("pools: {web-app: {maxConcurrency: 1}}"),
      environment: {
        BERTH_PRETTY: "true",
        BERTH_POOL_MANAGER__HEARTBEAT_TIMEOUT: "5m",
        BERTH_POOLS__WEB_APP__MAX_CONCURRENCY: "7",
        BERTH_POOLS__NEW_ONE__MAX_CONCURRENCY: "2",
        BERTH_POOLS__NEW_ONE__LABELS: "gpu, eu",
        PATH: "/bin",
      },
    });
    expect(config).toMatchObject({
      pretty: true,
      poolManager: { heartbeatTimeout: 300_000 },
      pools: { "web-app": { maxConcurrency: 7 }, "new-one": { maxConcurrency: 2, labels: ["gpu", "eu"] } },
    });
  });

  it("takes a mapping from a variable, and an empty variable for none", () => {
    const environment = { BERTH_POOLS: "{a: {maxConcurrency: 4}}", BERTH_NAME: "" };
    expect(loadConfig({ schema, environment })).toMatchObject({ name: "berth", pools: { a: { maxConcurrency: 4 } } });
  });

  it("is frozen throughout", () => {
    const config = loadConfig({ schema, environment: {}, flags: { pools: { a: { maxConcurrency: 1 } } } });
    expect(() => Object.assign(config.poolManager, { port: 1 })).toThrow(TypeError);
    expect(() => config.pools["a"]?.labels.push("x")).toThrow(TypeError);
  });

  it("blames whoever gave the value", () => {
    const path = file("poolManager:\n  port: 70000\n");
    expect(refusal({ file: path })).toBe("/berth.yaml:2:9 poolManager.port: 70000 is above the maximum, 65535");
    expect(refusal({ file: path, environment: { BERTH_POOL_MANAGER__PORT: "-1" } })).toBe(
      "environment BERTH_POOL_MANAGER__PORT poolManager.port: -1 is below the minimum, 0",
    );
    expect(refusal({ file: path, flags: { "poolManager.port": "many" } })).toBe(
      'flag poolManager.port poolManager.port: "many" is not a number',
    );
  });

  it("refuses variables with the prefix that nothing knows, except those it is told of", () => {
    const environment = { BERTH_POOL_MANAGER__PROT: "1", BERTH_TOKEN: "s3cret" };
    expect(refusal({ environment, allow: ["BERTH_TOKEN"] })).toBe(
      "environment BERTH_POOL_MANAGER__PROT: is not a known setting; known names begin BERTH_NAME, BERTH_POOL_MANAGER, BERTH_POOLS, BERTH_PRETTY, BERTH_API_KEY",
    );
    expect(refusal({ environment })).not.toContain("s3cret");
  });

  it("tells problems of file, environment and flags together", () => {
    const message = refusal({ file: file("nam: x\n"), environment: { BERTH_X: "1" }, flags: { pretty: "perhaps" } });
    expect(message.split("\n")).toHaveLength(3);
  });

  it("says so when the file isn't there", () => {
    expect(refusal({ file: join(folder, "none.yaml") })).toBe(
      "/none.yaml: there is no such file; write it or name another",
    );
  });
});

describe("secrets", () => {
  const config = loadConfig({ schema, environment: { BERTH_API_KEY: "s3cret" } });

  it("are revealed only where asked for", () => {
    expect(config.apiKey?.reveal()).toBe("s3cret");
    const shown = [
      String(config.apiKey),
      JSON.stringify(config),
      inspect(config),
      describeConfig(config),
      `${new Secret("s3cret")}`,
    ].join();
    expect(shown).not.toContain("s3cret");
    expect(describeConfig(config)).toContain('apiKey: "***"');
  });

  it("aren't repeated by a problem", () => {
    expect(refusal({ flags: { apiKey: 12345 } })).toBe(
      "flag apiKey apiKey: must be a text that isn't empty (the value isn't shown)",
    );
  });

  it("are masked by their name too", () => {
    expect(describeConfig({ dbPassword: "hunter2", size: 10n })).toBe('dbPassword: "***"\nsize: "10"\n');
  });
});
