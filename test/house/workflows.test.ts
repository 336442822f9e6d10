import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { files, read } from "./tree.js";

interface Workflow {
  readonly permissions?: unknown;
  readonly jobs: Readonly<Record<string, { readonly "timeout-minutes"?: number; readonly permissions?: object }>>;
}

const folder = ".github/workflows/";
const workflows = files.filter((path) => path.startsWith(folder));

/** What a workflow uses of others that isn't pinned, as `path:line: text`. What lies in this repository needs no pin. */
function unpinned(path: string, text: string): string[] {
  return text.split("\n").flatMap((line, index) => {
    const used = /^\s*(?:-\s+)?["']?uses["']?\s*:\s*(.*)$/.exec(line)?.[1];
    if (used === undefined || /^["']?\.\//.test(used)) return [];
    return /^[\w.-]+(\/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(used)
      ? []
      : [`${path}:${index + 1}: ${line.trim()}`];
  });
}

describe("the workflows", () => {
  it("pin what they use by digest, with the version beside it: a tag can be moved to another commit", () => {
    expect(workflows).not.toEqual([]);
    expect(workflows.flatMap((path) => unpinned(path, read(path)))).toEqual([]);
  });

  it("know what a pin is", () => {
    const digest = "0123456789abcdef0123456789abcdef01234567";
    const pinned = [
      `- uses: a/b@${digest} # v4.2.2`,
      `  uses: a/b/c@${digest} # v1.0.0`,
      "- uses: ./.github/actions/x",
    ];
    const loose = [
      "- uses: a/b@v4",
      "- uses: a/b@main # v4.2.2",
      `- uses: a/b@${digest}`,
      `- uses: a/b@${digest} # v4`,
      `- "uses": a/b@v4`,
      "- uses: docker://alpine:3",
    ];
    expect(unpinned("w", pinned.join("\n"))).toEqual([]);
    expect(unpinned("w", loose.join("\n"))).toHaveLength(loose.length);
  });

  it.each(workflows)("lets %s read the repository and nothing else, unless a job says why it needs more", (path) => {
    const { permissions, jobs } = parse(read(path)) as Workflow;
    expect(permissions).toEqual({ contents: "read" });
    for (const [name, job] of Object.entries(jobs)) {
      expect(job["timeout-minutes"], `${name} ends by itself`).toBeGreaterThan(0);
      const further = Object.entries(job.permissions ?? {}).filter(([, right]) => right !== "read");
      expect(further, name).toEqual(path.endsWith("/release.yml") ? [["id-token", "write"]] : []);
    }
  });
});
