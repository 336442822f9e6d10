import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, ManualClock, systemClock } from "@berth/chassis/clock";
import { silentLogger } from "@berth/chassis/log";
import { runner } from "@berth/contracts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Spool } from "./spool.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-spool-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function completion(lease: string): runner.Completion {
  return runner.Completion.fromPartial({
    lease,
    token: 9007199254740993n,
    outcome: {
      result: runner.Outcome_Result.FAILED,
      exitCode: 3,
      message: "ü\n",
      resultJson: Buffer.from("{}"),
      endTime: new Date(5),
    },
  });
}

async function opened(options: { segmentBytes?: number; reserveBytes?: number; clock?: Clock } = {}) {
  const groups: { leases: string[]; durable: boolean }[] = [];
  const problems: (string | undefined)[] = [];
  const spool = new Spool({
    folder: join(folder, "spool"),
    clock: systemClock,
    logger: silentLogger,
    onGroup: (completions, durable) => groups.push({ leases: completions.map(({ lease }) => lease), durable }),
    onDisk: (problem) => problems.push(problem),
    ...options,
  });
  const found = await spool.open();
  return { spool, groups, problems, found };
}

const segments = (): string[] => readdirSync(join(folder, "spool"));

test("all outcomes that come together are one group, on disk before they are handed on", async () => {
  const { spool, groups } = await opened();
  for (let i = 0; i < 500; i++) spool.add(completion(`l${i}`));
  await spool.idle();
  expect(groups.map((group) => [group.leases.length, group.durable])).toEqual([[500, true]]);
  expect(readFileSync(join(folder, "spool", segments()[0] ?? ""), "utf8").split("\n")).toHaveLength(501);
  await spool.close();
});

test("unconfirmed outcomes are found again as they were, confirmed ones aren't", async () => {
  const first = await opened();
  for (const lease of ["a", "b", "c"]) first.spool.add(completion(lease));
  await first.spool.idle();
  first.spool.confirm(["b"]);
  first.spool.add(completion("d"));
  await first.spool.idle();
  await first.spool.close();
  const second = await opened();
  expect(second.found).toEqual([completion("a"), completion("c"), completion("d")]);
  second.spool.confirm(["a", "c", "d"]);
  await second.spool.close();
  expect(segments()).toEqual([]);
});

test("a torn last record is dropped, the ones before it stay", async () => {
  const first = await opened();
  for (const lease of ["a", "b"]) first.spool.add(completion(lease));
  await first.spool.idle();
  const path = join(folder, "spool", segments()[0] ?? "");
  truncateSync(path, readFileSync(path).length - 7);
  expect((await opened()).found.map(({ lease }) => lease)).toEqual(["a"]);
});

test("a damaged record in the middle is dropped, the ones around it stay", async () => {
  const first = await opened();
  first.spool.add(completion("a"));
  await first.spool.idle();
  appendFileSync(join(folder, "spool", segments()[0] ?? ""), "00000000 {}\n");
  first.spool.add(completion("b"));
  await first.spool.idle();
  expect((await opened()).found.map(({ lease }) => lease)).toEqual(["a", "b"]);
});

test("a segment is deleted when all its outcomes are confirmed", async () => {
  const { spool } = await opened({ segmentBytes: 10 });
  for (const lease of ["a", "b", "c"]) {
    spool.add(completion(lease));
    await spool.idle();
  }
  expect(segments()).toHaveLength(3);
  spool.confirm(["a", "b", "c"]);
  await spool.close();
  expect(segments()).toEqual([]);
});

test("on a disk with less than the reserve new work is refused, with the reason", async () => {
  const { spool, problems } = await opened({ reserveBytes: Number.MAX_SAFE_INTEGER });
  expect(spool.refusal).toMatch(/bytes free, less than the reserve/);
  expect(problems).toHaveLength(1);
  await spool.close();
});

test("an outcome that can't be written is handed on from memory and written as soon as it can be", async () => {
  const clock = new ManualClock();
  const { spool, groups, problems } = await opened({ clock });
  rmSync(join(folder, "spool"), { recursive: true });
  spool.add(completion("a"));
  await spool.idle();
  expect(groups).toEqual([{ leases: ["a"], durable: false }]);
  expect(spool.refusal).toMatch(/can't be written/);
  mkdirSync(join(folder, "spool"));
  await clock.advance(1_000);
  await expect.poll(() => spool.refusal).toBeUndefined();
  expect(problems).toHaveLength(2);
  await spool.close();
  expect((await opened()).found.map(({ lease }) => lease)).toEqual(["a"]);
});

test("what is confirmed or added while outcomes of a refusing disk are written at last is neither left behind nor mixed up", async () => {
  const clock = new ManualClock();
  const { spool, groups } = await opened({ clock });
  rmSync(join(folder, "spool"), { recursive: true });
  for (const lease of ["a", "b"]) spool.add(completion(lease));
  await spool.idle();
  mkdirSync(join(folder, "spool"));
  await clock.advance(1_000);
  spool.confirm(["a"]);
  spool.add(completion("c"));
  await spool.idle();
  expect(groups.at(-1)).toEqual({ leases: ["c"], durable: true });
  expect(segments()).toHaveLength(1);
  spool.confirm(["b", "c"]);
  await spool.close();
  expect(segments()).toEqual([]);
});
