import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { LogFile } from "./log-file.js";

it("keeps the newest lines within twice its bound, also over a restart", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-log-"));
  try {
    const path = join(folder, "berth.log");
    for (let start = 0; start < 3; start += 1) {
      const log = new LogFile(path, 100);
      for (let index = 0; index < 10; index += 1) log.write(`start ${start} line ${index}\n`);
      log.close();
      log.write("after the end\n");
    }
    const text = readFileSync(`${path}.1`, "utf8") + readFileSync(path, "utf8");
    expect(statSync(path).size).toBeLessThanOrEqual(100);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(100);
    expect(text.endsWith("start 2 line 9\n")).toBe(true);
    expect(text).not.toContain("after the end");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
