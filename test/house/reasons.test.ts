import { reasonStatus } from "@berth/chassis/grpc";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { read } from "./tree.js";

it("docs/api.md has every reason for an error, with its status, and no other: write down what a caller is to do", () => {
  const rows = read("docs/api.md")
    .split("## Errors")[1]
    ?.split("\n## ")[0]
    ?.split("\n")
    .filter((line) => line.startsWith("| `"));
  const documented = (rows ?? []).flatMap((row) => {
    const [, reasons = "", statuses = ""] = row.split("|");
    const names = [...reasons.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name ?? "");
    const given = statuses.split(",").map((each) => each.trim());
    return names.map((name, i) => [name, given[0] === "the same" ? name : (given[i] ?? given[0])] as const);
  });
  const declared = Object.entries(reasonStatus).map(([reason, code]) => [reason, status[code]] as const);
  expect(documented.sort()).toEqual(declared.sort());
});
