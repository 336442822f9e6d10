import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { files, read, sources } from "./tree.js";

/** Files that people write; the lock file and pictures aren't. */
const written = files.filter((path) => !/(^|\/)package-lock\.json$|\/gen\/|\.(png|svg|ico|woff2?|binpb)$/.test(path));

/** Lines of a file that match, as `path:line: text`. */
function grep(path: string, pattern: RegExp): string[] {
  const found: string[] = [];
  for (const [index, line] of read(path).split("\n").entries())
    if (pattern.test(line)) found.push(`${path}:${index + 1}: ${line.trim().slice(0, 120)}`);
  return found;
}

// Put together from pieces, or this file would find itself.
const any = (...pieces: string[][]): string => pieces.map((piece) => piece.join("")).join("|");
const unfinished = new RegExp(`\\b(${any(["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"])})\\b`);
const silenced = new RegExp(
  any(["eslint-", "disable"], ["@ts-", "ignore"], ["@ts-", "nocheck"], ["prettier-", "ignore"]),
);
const leftOut = /\b(it|test|describe|suite|bench)(\.\w+)*\.(skip|only|todo|fails)\b/;
const homes = any(
  ["/ro", "ot/"],
  ["/wo", "rk/"],
  ["/Us", "ers/"],
  ["/ho", "me/(?!node/)[a-z]"],
  ["[A-Z]:\\\\Us", "ers"],
);
const machinePath = new RegExp(`(^|[\\s"'\`(=:])(${homes})`);
const host = new RegExp(
  any(["registry", "\\.npmjs"], ["_auth", "Token"], ["arti", "factory"], ["verd", "accio"], ["localhost", ":4873"]),
  "i",
);

describe("what is written", () => {
  it("is finished: what isn't done yet is an issue or a sentence in docs, not a mark in the source", () => {
    expect(written.filter((path) => !path.endsWith(".md")).flatMap((path) => grep(path, unfinished))).toEqual([]);
  });

  it("silences no checker: repair the code, or change the rule for everybody", () => {
    expect(sources.flatMap((path) => grep(path, silenced))).toEqual([]);
  });

  it("leaves no test out: a test that can't run here says so by skipIf and what it needs", () => {
    expect(sources.filter((path) => path.endsWith(".test.ts")).flatMap((path) => grep(path, leftOut))).toEqual([]);
  });

  it("says why wherever it silences the linter in one place", () => {
    const wordless = /biome-ignore\s+\S+\s*(:\s*)?(<explanation>|\*\/|$)/;
    expect(sources.flatMap((path) => grep(path, wordless))).toEqual([]);
  });

  it("names no place on somebody's machine", () => {
    expect(written.flatMap((path) => grep(path, machinePath))).toEqual([]);
  });

  it("names no package registry: which one is used is each machine's own matter", () => {
    expect(written.flatMap((path) => grep(path, host))).toEqual([]);
  });

  it("links only to files that are there", () => {
    const pages = files.filter((path) => path.endsWith(".md"));
    const broken = pages.flatMap((page) => {
      const targets = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)/g)].map(
        (match) => match[1] ?? "",
      );
      return targets
        .filter((target) => {
          const path = posix.join(posix.dirname(page), decodeURI(target)).replace(/\/$/, "");
          return !files.includes(path) && !files.some((file) => file.startsWith(`${path}/`));
        })
        .map((target) => `${page}: ${target}`);
    });
    expect(broken).toEqual([]);
  });
});

describe("the rules of writing", () => {
  it("know what they look for", () => {
    const joined = (...pieces: string[]): string => pieces.join("");
    expect(unfinished.test(joined("// TO", "DO: later"))).toBe(true);
    expect(leftOut.test(joined("it.sk", "ip('x')"))).toBe(true);
    expect(leftOut.test(joined("describe.each(x).on", "ly('x')"))).toBe(false);
    expect(leftOut.test("it.skipIf(!found)('x')")).toBe(false);
    expect(machinePath.test(joined("cd /ho", "me/anna/berth"))).toBe(true);
    expect(machinePath.test(joined('path: "/wo', 'rk/x"'))).toBe(true);
    expect(machinePath.test("https://example.org/work/x")).toBe(false);
    expect(machinePath.test("https://example.org/home/x")).toBe(false);
  });
});
