import { describe, expect, it, vi } from "vitest";
import { fieldViolations, surfaceViolations } from "./surface.js";
import { files, read, sources } from "./tree.js";

// Every source is read and parsed.
vi.setConfig({ testTimeout: 60_000 });

/** Entry points: the index of every package and service, and of every part of chassis and wire. The generated contracts speak through the protos. */
const indexes = sources.filter((path) =>
  /^(packages|services)\/[^/]+\/src\/index\.ts$|^packages\/(chassis|wire)\/src\/[^/]+\/index\.ts$/.test(path),
);

describe("what packages export", () => {
  it.each(indexes.filter((path) => !path.startsWith("packages/contracts/")))(
    "is named and documented in %s",
    (index) => {
      expect(surfaceViolations(index, (path) => (files.includes(path) ? read(path) : undefined))).toEqual([]);
    },
  );

  it.each(indexes.filter((path) => /^packages\/(client|wire)\//.test(path)))(
    "is documented field by field in %s, where an SDK shows it on hover",
    (index) => {
      expect(fieldViolations(index, (path) => (files.includes(path) ? read(path) : undefined))).toEqual([]);
    },
  );
});

describe("the rule of the fields", () => {
  const check = (texts: Record<string, string>): string[] => fieldViolations("p/index.ts", (path) => texts[path]);
  const exported = { "p/index.ts": 'export { type A } from "./a.js"' };

  it.each([
    ["a field", "export interface A { a: string }"],
    ["a method", "export interface A { a(): void }"],
    ["a field of a type", "export type A = { a: string }"],
    ["a property of a class", "export class A { readonly a = 1; }"],
    ["one behind two doors", 'export { type A } from "./b.js"'],
  ])("refuses %s without a word", (_, text) =>
    expect(check({ ...exported, "p/a.ts": text, "p/b.ts": "export interface A { a: 1 }" })).toHaveLength(1),
  );

  it.each([
    ["documented ones", "export interface A {\n/** The a. */\na: string }"],
    ["what isn't exported", "interface B { b: string }"],
    [
      "what users of a class don't see",
      "export class A { #a = 1; private b = 2; override name = 'A'; constructor() {} }",
    ],
  ])("takes %s", (_, text) => expect(check({ ...exported, "p/a.ts": text })).toEqual([]));
});

describe("the rule of the surface", () => {
  const check = (texts: Record<string, string>): string[] => surfaceViolations("p/index.ts", (path) => texts[path]);

  it.each([
    ["an export of its own without a word", { "p/index.ts": "export function a() {}" }],
    [
      "an export from elsewhere without a word",
      { "p/index.ts": 'export { a } from "./a.js"', "p/a.ts": "export const a = 1;" },
    ],
    ["one that was renamed", { "p/index.ts": 'export { a as b } from "./a.js"', "p/a.ts": "export const a = 1;" }],
    [
      "one behind two doors",
      {
        "p/index.ts": 'export { a } from "./a.js"',
        "p/a.ts": 'export { a } from "./b.js"',
        "p/b.ts": "export type a = 1;",
      },
    ],
    ["everything there is", { "p/index.ts": 'export * from "./a.js"' }],
    ["an empty word", { "p/index.ts": "/** */\nexport function a() {}" }],
  ])("refuses %s", (_, texts) => expect(check(texts as Record<string, string>)).toHaveLength(1));

  it.each([
    [
      "a documented one",
      { "p/index.ts": 'export { a } from "./a.js"', "p/a.ts": "/** Does a. */\nexport const a = 1;" },
    ],
    ["a documented type of its own", { "p/index.ts": "/** An a. */\nexport interface A {}\nconst hidden = 1;" }],
    ["one of another package", { "p/index.ts": 'export { z } from "zod"' }],
    [
      "overloads with one text",
      {
        "p/index.ts": 'export { a } from "./a.js"',
        "p/a.ts": "/** Does a. */\nexport function a(): void;\nexport function a(b?: 1): void {}",
      },
    ],
  ])("takes %s", (_, texts) => expect(check(texts as Record<string, string>)).toEqual([]));
});
