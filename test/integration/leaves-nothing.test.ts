import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { root } from "./harness/berth.js";

const script = `
import { spawnTied } from "@berth/testkit";
const child = spawnTied(process.execPath, ["-e", "console.log(process.pid); setInterval(() => {}, 1_000)"], {
  stdio: ["ignore", "inherit", "inherit"],
  detached: true,
});
if (process.argv[1] === "fails") child.once("spawn", () => { throw new Error("a journey failed"); });
`;

// Beyond Linux nothing ties a process to one that is killed.
const ways = process.platform === "linux" ? ["fails", "is killed"] : ["fails"];

it.each(ways)("what a test or a benchmark has started ends with it when it %s", async (way) => {
  const args = ["--input-type=module", "-e", script, way];
  const tester = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(tester, "exit");
  // Its child holds the same pipe open: it closes when the last of both is gone.
  const lines = createInterface({ input: tester.stdout });
  const closed = once(lines, "close");
  if (way === "is killed") {
    await once(lines, "line");
    tester.kill("SIGKILL");
  }
  await closed;
  expect(await ended).toEqual(way === "is killed" ? [null, "SIGKILL"] : [1, null]);
});
