import { describe, expect, it } from "vitest";
import { files, read } from "./tree.js";

const protos = files.filter((path) => path.startsWith("proto/berth/") && path.endsWith(".proto"));

/** The statuses of gRPC, and the reasons of ours, which a comment may name as well. */
const statuses = [
  ...["CANCELLED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED"],
  ...["RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "OUT_OF_RANGE"],
];
const reasons = [...read("packages/wire/src/grpc/reasons.ts").matchAll(/^ {2}([A-Z_]+): Status\./gm)].map(
  ([, name]) => name,
);

/** Everything that the protos declare: fields, enum values (also without their prefix, and as words), methods, messages, enums, services. */
function declared(): Set<string> {
  const names = new Set<string>([...statuses, ...reasons.map(String)]);
  for (const path of protos) {
    const code = read(path).replaceAll(/\/\/.*$/gm, "");
    for (const [, name = ""] of code.matchAll(/^\s*(?:message|enum|service|rpc|oneof)\s+(\w+)/gm)) names.add(name);
    for (const [, name = ""] of code.matchAll(/\b(\w+) = \d+[;[ ]/g)) {
      names.add(name);
      for (let rest = name; rest.includes("_") && /^[A-Z]/.test(rest); ) {
        rest = rest.slice(rest.indexOf("_") + 1);
        names.add(rest).add(rest.toLowerCase());
      }
    }
  }
  return names;
}

describe("comments in the protos", () => {
  it("name only what is there: a field, a value, a method or a reason that was renamed is renamed in them too", () => {
    const names = declared();
    const stray = protos.flatMap((path) =>
      read(path)
        .split("\n")
        .flatMap((line, at) => {
          const comment = /\/\/(.*)$/.exec(line)?.[1] ?? "";
          const words = [
            ...[...comment.matchAll(/(?<![\w./:-])[a-z]+(?:_[a-z0-9]+)+(?![\w./:-]*[/:-]\w)/g)].map(([word]) => word),
            ...[...comment.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([word]) => word),
            ...[...comment.matchAll(/`([A-Z][a-z]+[A-Z]\w*)`/g)].map(([, word = ""]) => word),
          ];
          return words.filter((word) => !names.has(word)).map((word) => `${path}:${at + 1}: ${word}`);
        }),
    );
    expect(stray).toEqual([]);
  });
});
