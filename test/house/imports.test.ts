import { describe, expect, it, vi } from "vitest";
import { importsOf, importViolations } from "./imports.js";
import { read, sources } from "./tree.js";

// Every source is read and parsed.
vi.setConfig({ testTimeout: 60_000 });

describe("imports", () => {
  it("run down the layers, and services meet only in contracts", () => {
    expect(sources.flatMap((path) => importViolations(path, read(path)))).toEqual([]);
  });

  it("end in .js where they are relative, since that is what runs", () => {
    const wrong = sources.flatMap((path) =>
      importsOf(path, read(path))
        .filter(({ specifier }) => specifier.startsWith(".") && !/\.(m?js|json)$/.test(specifier))
        .map(({ specifier, line }) => `${path}:${line}: ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("the rule of imports", () => {
  it.each([
    ["services/registry/src/domain/a.ts", 'import { x } from "../engine/b.js"', /domain may not use engine/],
    ["services/registry/src/store/a.ts", 'import { x } from "../api/b.js"', /store may not use api/],
    ["services/registry/src/api/a.ts", 'import { x } from "../store/b.js"', /api may not use store/],
    ["services/registry/src/engine/a.ts", 'import { x } from "../service.js"', /engine may not use service/],
    ["services/registry/src/main.ts", 'import { x } from "./domain/b.js"', /main may not use domain/],
    ["services/registry/src/api/a.ts", 'import { x } from "@berth/scheduler"', /only contracts and chassis/],
    ["services/registry/src/api/a.ts", 'import { x } from "../../../scheduler/src/a.js"', /leaves its package/],
    ["services/registry/src/api/a.ts", 'export { x } from "@berth/client"', /only contracts and chassis/],
    ["services/registry/src/api/a.ts", 'const x = await import("@berth/client")', /only contracts and chassis/],
    ["services/registry/src/domain/a.ts", 'import type { pool } from "@berth/contracts"', /wire messages/],
    ["services/registry/src/domain/a.ts", 'import { Engine } from "@berth/chassis/engine"', /only types/],
    ["services/registry/src/domain/a.ts", 'import { z } from "zod"', /is pure/],
    ["services/registry/src/engine/a.ts", 'import { readFileSync } from "node:fs"', /only through its ports/],
    ["services/registry/src/api/a.ts", 'import Database from "libsql"', /belongs to store/],
    ["packages/client/src/a.ts", 'import { x } from "@berth/registry"', /may not use registry/],
    ["packages/client/src/a.ts", 'import { x } from "@berth/client"', /its own package/],
    ["packages/contracts/src/a.ts", 'import { x } from "@berth/chassis/log"', /nothing of ours/],
  ])("refuses in %s: %s", (path, text, lesson) => {
    expect(importViolations(path, text)).toEqual([expect.stringMatching(lesson)]);
  });

  it.each([
    ["services/registry/src/domain/a.ts", 'import type { Core } from "@berth/chassis/engine"'],
    ["services/registry/src/domain/a.ts", 'import { type Core, type Now } from "@berth/chassis/engine"'],
    ["services/registry/src/domain/a.ts", 'import { b } from "./b.js"; // import { x } from "../api/a.js"'],
    ["packages/runner/src/domain/a.ts", 'import { runner } from "@berth/contracts"'],
    ["services/registry/src/domain/a.test.ts", 'import fc from "fast-check"'],
    ["services/registry/src/service.ts", 'import { x } from "./store/a.js"'],
    ["services/registry/src/store/a.ts", 'import { x } from "@berth/chassis/sqlite"'],
    ["packages/standalone/src/a.ts", 'import { x } from "@berth/registry"'],
    ["packages/chassis/src/http/a.ts", 'import { createServer } from "node:http"'],
  ])("lets pass in %s: %s", (path, text) => {
    expect(importViolations(path, text)).toEqual([]);
  });
});
