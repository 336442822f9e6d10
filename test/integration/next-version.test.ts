import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { files } from "../house/tree.js";
import { root, scratchFolder } from "./harness/berth.js";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const taken = files.filter((path) =>
  /(^|\/)package(-lock)?\.json$|^\.changeset\/config|^\.npmrc$|^scripts\//.test(path),
);
const manifests = taken.filter((path) => /^(packages|services)\/.*package\.json$|^test\/package\.json$/.test(path));

const scratches: { remove(): void }[] = [];
afterAll(() => {
  for (const scratch of scratches) scratch.remove();
});

/** A copy of what versions stand in, with a changelog and changesets of its own. */
function copyWith(changelog: string, changesets: Readonly<Record<string, string>>) {
  const scratch = scratchFolder();
  scratches.push(scratch);
  const folder = scratch.path;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const path of taken) cpSync(join(root, path), join(folder, path));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  write("CHANGELOG.md", changelog);
  for (const [name, text] of Object.entries(changesets)) write(`.changeset/${name}.md`, text);
  const read = (path: string): string => readFileSync(join(folder, path), "utf8");
  return {
    read,
    manifests: () => manifests.map((path) => JSON.parse(read(path)) as Manifest),
    /** Runs `npm run version` where no registry answers. */
    next() {
      // Nothing listens on port 9 of this machine.
      const env = { ...process.env, npm_config_registry: "http://127.0.0.1:9" };
      const done = spawnSync("npm", ["run", "version"], { cwd: folder, env, encoding: "utf8" });
      return { code: done.status, output: `${done.stdout}${done.stderr}` };
    },
  };
}

const open = "# Changelog\n\nWhat users notice.\n\n## Unreleased\n\n- New.\n\n## 0.0.9, 2020-01-01\n\n- Old.\n";
const minor = '---\n"@berth/client": minor\n---\n';
const day = /^## (\S+), \d{4}-\d\d-\d\d$/m;

describe("the next version", () => {
  it("is that of all packages together, of what they name of each other, of the lock and of the changelog, without a network", () => {
    const copy = copyWith(open, { brave: minor });
    const [before = ""] = copy.manifests().map(({ version }) => version);
    const [major, middle] = before.split(".").map(Number);
    const expected = `${major}.${Number(middle) + 1}.0`;
    const done = copy.next();
    expect(done.code, done.output).toBe(0);
    for (const { name, version, dependencies, devDependencies } of copy.manifests()) {
      expect(version, name).toBe(expected);
      for (const [other, wanted] of Object.entries({ ...dependencies, ...devDependencies }))
        if (other.startsWith("@berth/")) expect(wanted, `${name}: ${other}`).toBe(expected);
    }
    const lock = JSON.parse(copy.read("package-lock.json")) as { packages: Record<string, Manifest> };
    expect(manifests.map((path) => lock.packages[dirname(path)]?.version)).toEqual(manifests.map(() => expected));
    expect(copy.read("CHANGELOG.md")).toMatch(day);
    expect(copy.read("CHANGELOG.md").replace(day, "## $1")).toBe(open.replace("## Unreleased", `## ${expected}`));
  });

  it("is the one that the packages state, where it isn't released yet", () => {
    const copy = copyWith(open, {});
    const [stated] = copy.manifests().map(({ version }) => version);
    const done = copy.next();
    expect(done.code, done.output).toBe(0);
    expect(day.exec(copy.read("CHANGELOG.md"))?.[1]).toBe(stated);
  });

  it("isn't made of nothing: no section, an empty one, or a version that is out already", () => {
    const [stated = ""] = copyWith(open, {})
      .manifests()
      .map(({ version }) => version);
    for (const [changelog, said] of [
      [open.replace("## Unreleased", `## ${stated}, 2020-01-02`), "there is nothing to release"],
      [open.replace("- New.\n", ""), "is empty"],
      [open.replace("0.0.9", stated), `has ${stated} already`],
    ] as const) {
      const copy = copyWith(changelog, {});
      const done = copy.next();
      expect(done.code, done.output).toBe(1);
      expect(done.output).toContain(said);
      expect(copy.read("CHANGELOG.md")).toBe(changelog);
    }
  });
});
