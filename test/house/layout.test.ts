import { describe, expect, it } from "vitest";
import { files, read, sources } from "./tree.js";

const topFolders = [
  ...[".changeset", ".ci", ".github"],
  ...["deploy", "docs", "examples", "packages", "proto", "scripts", "services", "test"],
];
const packageNames = ["chassis", "cli", "client", "contracts", "dashboard", "runner", "standalone", "testkit", "wire"];
const serviceNames = ["metrics", "pool-manager", "registry", "scheduler"];
const serviceFolders = ["api", "domain", "engine", "events", "store"];
const serviceFiles = /^(config|index|main|service)\.ts$|\.test\.ts$/;
const testFolders = ["bench", "chaos", "docker", "house", "integration", "simulation"];
const linesMax = 400;

/** Paths under a folder, from there. */
function under(folder: string): string[] {
  return files.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1));
}

function strange(names: Iterable<string>, known: readonly string[]): string[] {
  return [...new Set(names)].filter((name) => !known.includes(name));
}

describe("the layout", () => {
  it("has no other folders at the top", () => {
    const folders = files.filter((path) => path.includes("/")).map((path) => path.split("/", 1)[0] ?? "");
    expect(
      strange(folders, topFolders),
      `At the top there are only ${topFolders.join(", ")}. Put it where its reader would look.`,
    ).toEqual([]);
  });

  it("has no other packages, services and kinds of tests", () => {
    const first = (folder: string): string[] =>
      under(folder)
        .filter((path) => path.includes("/"))
        .map((path) => path.split("/", 1)[0] ?? "");
    expect(
      strange(first("packages"), packageNames),
      "A package is born when a second place needs the same thing; then name it here.",
    ).toEqual([]);
    expect(
      strange(first("services"), serviceNames),
      "There are four services. A fifth needs a truth of its own: see docs/design.md.",
    ).toEqual([]);
    expect(
      strange(first("test"), testFolders),
      `Tests that belong to one file stand beside it; the others are ${testFolders.join(", ")}.`,
    ).toEqual([]);
  });

  it.each(serviceNames)("has only rooms with a purpose in services/%s", (service) => {
    const inside = under(`services/${service}/src`);
    const folders = inside.filter((path) => path.includes("/")).map((path) => path.split("/", 1)[0] ?? "");
    const loose = inside.filter((path) => !path.includes("/") && !serviceFiles.test(path));
    const lesson = `Inside a service: ${serviceFolders.join("/, ")}/, config.ts, service.ts, main.ts, index.ts. What is this file about? Its room follows.`;
    expect([...strange(folders, serviceFolders), ...loose], lesson).toEqual([]);
  });

  it("calls nothing common, utils or helpers", () => {
    const vague = /(^|\/)(commons?|utils?|utilities|helpers?|misc|shared|lib)(\/|\.[a-z]+$)/;
    const found = files.filter((path) => vague.test(path) && !path.includes("/gen/"));
    expect(found, "Such a name says nothing about what is inside, so everything ends up there. Name the idea.").toEqual(
      [],
    );
  });

  it("has a README in every package and service that has code", () => {
    const rooms = [
      ...packageNames.map((name) => `packages/${name}`),
      ...serviceNames.map((name) => `services/${name}`),
    ];
    const bare = rooms.filter(
      (room) => under(room).some((path) => path.startsWith("src/")) && !files.includes(`${room}/README.md`),
    );
    expect(
      bare,
      "Write what truth the room owns and how it fails; if that is hard to write, the design is not ready.",
    ).toEqual([]);
  });

  it(`has no source longer than ${linesMax} lines`, () => {
    const long = sources
      .map((path) => `${path}: ${read(path).split("\n").length - 1} lines`)
      .filter((line) => Number(/(\d+) lines$/.exec(line)?.[1]) > linesMax);
    expect(long, "Look for the second idea in the file and give it a file of its own.").toEqual([]);
  });
});
