import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { readOrMakeToken } from "./folder.js";

const folders: string[] = [];
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "berth-folder-"));
  folders.push(path);
  return path;
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

it("makes the token once, for its owner only", () => {
  const path = folder();
  const token = readOrMakeToken(path);
  expect(token.length).toBeGreaterThanOrEqual(43);
  expect(readOrMakeToken(path)).toBe(token);
  expect(statSync(join(path, "token")).mode & 0o777).toBe(0o600);
});

it("takes looser rights back, and replaces a token that was cut off", () => {
  const path = folder();
  writeFileSync(join(path, "token"), "short", { mode: 0o644 });
  expect(readOrMakeToken(path).length).toBeGreaterThanOrEqual(43);
  expect(statSync(join(path, "token")).mode & 0o777).toBe(0o600);
});
