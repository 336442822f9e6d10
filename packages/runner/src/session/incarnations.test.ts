import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { Incarnations } from "./incarnations.js";

const folder = mkdtempSync(join(tmpdir(), "berth-incarnations-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("counts the beginnings of a runner across its processes", () => {
  const first = new Incarnations(folder);
  const numbers = [first.next(), first.next(), new Incarnations(folder).next()];
  expect(numbers.map((each) => each.startNumber)).toEqual([1, 2, 3]);
  expect(new Set(numbers.map((each) => each.id)).size).toBe(3);
});
