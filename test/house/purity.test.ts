import { describe, expect, it, vi } from "vitest";
import { purityViolations, sqlViolations } from "./purity.js";
import { read, sources } from "./tree.js";

// Every source is read and parsed.
vi.setConfig({ testTimeout: 60_000 });

describe("the source", () => {
  it("keeps clock, chance and waiting out of domain/ and engine/", () => {
    expect(sources.flatMap((path) => purityViolations(path, read(path)))).toEqual([]);
  });

  it("keeps SQL in store/", () => {
    expect(sources.flatMap((path) => sqlViolations(path, read(path)))).toEqual([]);
  });
});

const domain = "services/registry/src/domain/a.ts";
const engine = "services/registry/src/engine/a.ts";

describe("the rule of purity", () => {
  it.each([
    [domain, "const x = Date.now();"],
    [engine, "const x = Date.now();"],
    [engine, "const x = performance.now();"],
    [engine, "const x = new Date();"],
    [engine, "const x = new Date;"],
    [engine, "setTimeout(run, 5);"],
    [engine, "globalThis.setInterval(run, 5);"],
    [engine, "const x = { later: setTimeout };"],
    [domain, "const x = Math.random();"],
    [domain, "const x = crypto.randomUUID();"],
    [domain, "const x = randomUUID();"],
    [domain, "async function x(): void {}"],
    [domain, "const x = (): Promise<void> => y;"],
    [domain, "for await (const x of y) {}"],
    ["packages/runner/src/domain/a.ts", "const x = Date.now();"],
  ])("refuses in %s: %s", (path, text) => {
    expect(purityViolations(path, text)).not.toEqual([]);
  });

  it.each([
    [domain, "// Date.now() is elsewhere\nconst x = 'setTimeout';"],
    [domain, "const x = new Date(wallMs).toISOString();"],
    [domain, "interface X { setTimeout: number; random(): number }"],
    [engine, "clock.setTimer(5, run); const x = random();"],
    [engine, "async function x() { await y; }"],
    ["services/registry/src/domain/a.test.ts", "const x = Date.now();"],
    ["services/registry/src/api/a.ts", "const x = Math.random();"],
  ])("lets pass in %s: %s", (path, text) => {
    expect(purityViolations(path, text)).toEqual([]);
  });
});

describe("the rule of SQL", () => {
  it.each([
    "'SELECT a FROM b'",
    "`INSERT INTO a VALUES (${" + "x})`",
    "'update a set b = 1'",
    "'CREATE TABLE a (b)'",
    "'PRAGMA user_version'",
  ])("finds %s", (text) => {
    expect(sqlViolations(engine, `const x = ${text};`)).toHaveLength(1);
    expect(sqlViolations("services/registry/src/store/a.ts", `const x = ${text};`)).toEqual([]);
  });

  it.each([
    "'Select one of them'",
    "'Update the pool'",
    "'begin with a letter'",
    "'Delete it from here'",
    "'create a table'",
  ])("lets %s be", (text) => {
    expect(sqlViolations(engine, `const x = ${text};`)).toEqual([]);
  });
});
