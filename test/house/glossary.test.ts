import { describe, expect, it } from "vitest";
import { files, read } from "./tree.js";

const glossary = "docs/glossary.md";
const text = read(glossary);

/** Words that aren't used: what stands in italics under "not". */
const unused = text
  .split("| word | meaning | not |\n")
  .slice(1)
  .flatMap((table) => [...table.matchAll(/^\| [^|]+ \| [^|]+ \|([^|]*)\|$/gm)])
  .flatMap(([, cell = ""]) => [...cell.matchAll(/\*([^*]+)\*/g)].map(([, word = ""]) => word));

// Decisions speak of what was rejected, in its own words. Interfaces of others are theirs.
const pages = files.filter(
  (path) =>
    (path.endsWith(".md") && path !== glossary && path !== "CHANGELOG.md" && !path.startsWith("docs/adr/")) ||
    /^proto\/berth\/.*\.proto$/.test(path),
);

/** Places where a word is used that isn't. Names of others' things (Kubernetes Jobs) have capitals; what is code isn't prose. */
function usesOf(words: readonly string[], path: string, prose: string): string[] {
  const pattern = new RegExp(`\\b(${words.join("|")})s?\\b`, "g");
  return prose.split("\n").flatMap((line, index) => {
    const said = path.endsWith(".md") ? line.replace(/`[^`]*`|\]\([^)]*\)/g, "") : line;
    return [...said.matchAll(pattern)].map(([word]) => `${path}:${index + 1}: ${word}`);
  });
}

describe("the glossary", () => {
  it("defines each word once", () => {
    const words = [...text.matchAll(/^\| ([^|]+) \|/gm)]
      .map(([, word = ""]) => word)
      .filter((word) => !["---", "word"].includes(word));
    expect(words.length).toBeGreaterThan(60);
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
  });

  it("is kept: docs, READMEs and protos use none of the words that aren't used", () => {
    expect(unused).toEqual(expect.arrayContaining(["job", "worker", "semaphore"]));
    expect(
      pages.flatMap((path) => usesOf(unused, path, read(path))),
      `${glossary} says which word to use instead`,
    ).toEqual([]);
  });

  it("knows what it looks for", () => {
    expect(usesOf(["job"], "a.md", "two jobs\nKubernetes Jobs, `job`, [a](job.md)\njobless")).toEqual(["a.md:1: jobs"]);
    expect(usesOf(["work item"], "a.proto", "// A work item.")).toEqual(["a.proto:1: work item"]);
  });
});
