import { describe, expect, it } from "vitest";
import { files, read } from "./tree.js";

const folder = "docs/adr/";
const pages = files.filter((path) => path.startsWith(folder) && path !== `${folder}README.md`);
const status = /^(Proposed|Accepted|Superseded by \[\d+\]\(\d{4}-[a-z0-9-]+\.md\)), \d{4}-\d\d-\d\d\./;
const sections = ["Context", "Decision", "Rejected", "Consequences"];

/** What is wrong with the form of a decision. */
function wrong(path: string, text: string): string[] {
  const [heading = "", , said = ""] = text.split("\n");
  const number = Number(/^\d{4}/.exec(path.slice(folder.length))?.[0]);
  const found = [...text.matchAll(/^## (.+)$/gm)].map(([, name]) => name);
  return [
    ...(heading.startsWith(`# ${number}. `) ? [] : [`the first line is "# ${number}. " and the decision`]),
    ...(status.test(said) ? [] : ["the third line is its status and day, such as: Accepted, 2026-11-23."]),
    ...(found.join() === sections.join() ? [] : [`its sections are ${sections.join(", ")}`]),
  ].map((lesson) => `${path}: ${lesson}`);
}

describe("decisions", () => {
  it("are numbered without a gap, and each is in the table of docs/adr/README.md under its own title", () => {
    expect(pages.map((path) => Number(path.slice(folder.length, folder.length + 4)))).toEqual(
      pages.map((_, index) => index + 1),
    );
    const rows = pages.map((path, index) => {
      const title = /^# \d+\. (.+)$/m.exec(read(path))?.[1];
      return `| ${index + 1} | [${title}](${path.slice(folder.length)}) |`;
    });
    const table = read(`${folder}README.md`)
      .split("\n")
      .filter((line) => /^\| \d/.test(line));
    expect(table).toEqual(rows);
  });

  it("say when they were made, what forced them, what was rejected and what follows", () => {
    expect(pages.flatMap((path) => wrong(path, read(path)))).toEqual([]);
  });

  it("know what they look for", () => {
    const good = `# 1. A\n\nAccepted, 2026-01-01.\n\n${sections.map((name) => `## ${name}\n`).join("\n")}`;
    const path = `${folder}0001-a.md`;
    expect(wrong(path, good)).toEqual([]);
    expect(wrong(`${folder}0002-a.md`, good)).toHaveLength(1);
    expect(wrong(path, good.replace("2026-01-01", "soon"))).toHaveLength(1);
    expect(wrong(path, good.replace("## Rejected\n", ""))).toHaveLength(1);
  });
});
