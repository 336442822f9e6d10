import { describe, expect, it, vi } from "vitest";
import { surfaceViolations } from "./surface.js";
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
