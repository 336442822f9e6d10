import { expect, test } from "vitest";
import { askBeforeMs, Deadline, killBeforeMs } from "./deadline.js";

const at = (monoMs: number, bootMs: number | undefined = monoMs): { monoMs: number; bootMs: number | undefined } => ({
  monoMs,
  bootMs,
});

test("it stands the TTL after the renewal was sent, whenever the answer came, and never moves back", () => {
  const deadline = new Deadline();
  expect(deadline.passed(at(0))).toBe(true);
  deadline.renewed(at(100), 1_000);
  expect(deadline.leftMs(at(400))).toBe(700);
  deadline.renewed(at(50), 1_000);
  expect(deadline.leftMs(at(400))).toBe(700);
  expect(deadline.passed(at(1_099))).toBe(false);
  expect(deadline.passed(at(1_100))).toBe(true);
});

test("it has passed if either clock says so: the interval clock stands still while the host is suspended", () => {
  const deadline = new Deadline();
  deadline.renewed(at(0, 5_000), 1_000);
  expect(deadline.passed(at(10, 6_000))).toBe(true);
  expect(deadline.passed(at(1_000, 5_010))).toBe(true);
  expect(deadline.passed(at(999, undefined))).toBe(false);
});

test.each([
  { graceMs: 5_000, ttlMs: 40_000, ask: 5_000, kill: 200 },
  { graceMs: 5_000, ttlMs: 2_000, ask: 500, kill: 40 },
  { graceMs: 0, ttlMs: 300, ask: 0, kill: 10 },
])("a TTL of $ttlMs ms asks $ask ms before it and kills $kill ms before it", ({ graceMs, ttlMs, ask, kill }) => {
  expect(askBeforeMs(graceMs, ttlMs)).toBe(ask);
  expect(killBeforeMs(ttlMs)).toBe(kill);
});
