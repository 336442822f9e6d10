import { describe, expect, it } from "vitest";
import { files, read } from "./tree.js";

interface Manifest {
  readonly name: string;
  readonly version?: string;
  readonly license?: string;
  readonly type?: string;
  readonly private?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const root = JSON.parse(read("package.json")) as Manifest;
const paths = files.filter((path) => /^(packages|services)\/[^/]+\/package\.json$|^test\/package\.json$/.test(path));
const manifests = paths.map((path) => ({ path, manifest: JSON.parse(read(path)) as Manifest }));
const ours = new Set(manifests.map(({ manifest }) => manifest.name));

describe("packages", () => {
  it("have one version: they are tested together, so they are released together", () => {
    const versions = manifests.map(({ path, manifest }) => `${path}: ${manifest.version}`);
    expect(new Set(versions.map((line) => line.split(": ")[1])).size, versions.join("\n")).toBe(1);
  });

  it("name the exact version of each other, and no package of ours that isn't there", () => {
    const version = manifests[0]?.manifest.version;
    const wrong = manifests.flatMap(({ path, manifest }) =>
      Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
        .filter(([name, wanted]) => name.startsWith("@berth/") && (wanted !== version || !ours.has(name)))
        .map(([name, wanted]) => `${path}: ${name} ${wanted}`),
    );
    expect(wrong).toEqual([]);
  });

  it("pin what they take from others, each to one version throughout", () => {
    const all = [{ path: "package.json", manifest: root }, ...manifests].flatMap(({ path, manifest }) =>
      Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).map(([name, wanted]) => ({
        path,
        name,
        wanted,
      })),
    );
    const loose = all.filter(({ wanted }) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(wanted));
    const different = all.filter(({ name, wanted }) =>
      all.some((other) => other.name === name && other.wanted !== wanted),
    );
    expect([...loose, ...different]).toEqual([]);
  });

  it("are ES modules under the project's licence, for the Node that the README promises", () => {
    const wrong = manifests.filter(
      ({ manifest }) =>
        manifest.type !== "module" ||
        manifest.license !== root.license ||
        (!manifest.private && manifest.engines?.["node"] !== root.engines?.["node"]),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });
});

describe("the lock file", () => {
  it("names no host, so that it installs from any registry", () => {
    const packages = (JSON.parse(read("package-lock.json")) as { packages: Record<string, { resolved?: string }> })
      .packages;
    const hosts = Object.entries(packages).filter(([, entry]) => /^(https?|git)/.test(entry.resolved ?? ""));
    expect(
      hosts.map(([path, entry]) => `${path}: ${entry.resolved}`),
      "Keep omit-lockfile-registry-resolved=true in .npmrc",
    ).toEqual([]);
  });
});
