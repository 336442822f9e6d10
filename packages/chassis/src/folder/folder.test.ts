import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FolderUnusable, makeFolder } from "./index.js";

const scratch = mkdtempSync(join(tmpdir(), "berth-folder-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const file = join(scratch, "file");
writeFileSync(file, "");
symlinkSync(join(scratch, "nowhere"), join(scratch, "dangling"));

describe("a folder", () => {
  it("is made with those above it, for its owner only, and left as it is when it is there", () => {
    const folder = join(scratch, "a", "b", "c");
    makeFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    chmodSync(folder, 0o750);
    makeFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o750);
  });

  it.skipIf(process.platform !== "linux").each([
    ["where the system makes none", "/proc/x", "no folder can be made there"],
    ["below such a place", "/proc/x/y/z", "no folder can be made there"],
    ["in place of a file", file, "there is a file of this name where a folder is needed"],
    ["below a file", join(file, "x"), "a part of this path is a file, not a folder"],
    ["below a device", "/dev/null/x", "a part of this path is a file, not a folder"],
    ["in place of a link that leads nowhere", join(scratch, "dangling"), "there is a file of this name"],
    ["with a name that is too long", join(scratch, "x".repeat(300)), "this name is too long"],
  ])("is refused %s, with the path and what to do", (_, folder, why) => {
    expect(() => makeFolder(folder)).toThrow(FolderUnusable);
    expect(() => makeFolder(folder)).toThrow(`${folder}: ${why}`);
    expect(() => makeFolder(folder)).toThrow("choose a folder in a place where you may write");
  });
});
