import { describe, expect, it } from "vitest";
import { bytes, cpu, duration, formatBytes, formatDuration, parseBytes, parseDuration, wireDuration, wireMs } from "./quantities.js";

describe("durations", () => {
  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["1.5s", 1_500],
    ["1m30s", 90_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
  ])("reads %s as %d ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(["10", "s", "-1s", "1 s", "ten", "1w", ""])("refuses %j", (text) => expect(parseDuration(text)).toBeUndefined());

  it("says what to write, and the bound that was passed", () => {
    expect(duration().safeParse("10").error?.issues[0]?.message).toContain("with its unit");
    expect(duration().safeParse(10).error?.issues[0]?.message).toContain("with its unit");
    expect(duration({ max: 60_000 }).safeParse("2m").error?.issues[0]?.message).toBe("2m is above the most, 1m00s");
  });

  it.each([
    [0, "0ms"],
    [4, "4ms"],
    [400, "0.4s"],
    [9_960, "10s"],
    [59_900, "1m00s"],
    [185_000, "3m05s"],
    [7_800_000, "2h10m"],
    [356_400_000, "4d3h"],
  ])("shows %d ms as %s", (ms, text) => expect(formatDuration(ms)).toBe(text));

  it("goes to the wire and back", () => {
    expect(wireDuration(1_500)).toEqual({ seconds: 1n, nanos: 500_000_000 });
    expect(wireMs(wireDuration(90_250))).toBe(90_250);
    expect(wireMs(undefined)).toBeUndefined();
  });
});

describe("sizes and processors", () => {
  it.each([
    ["512MiB", 536_870_912],
    ["1.5GB", 1_500_000_000],
    ["100 B", 100],
  ])("reads %s as %d bytes", (text, size) => expect(parseBytes(text)).toBe(size));

  it("refuses negative, not whole and huge sizes", () => {
    for (const value of [-1, 1.5, 1e300, Number.NaN, "1XB"]) expect(bytes().safeParse(value).success).toBe(false);
  });

  it.each([
    [0.5, 500],
    ["500m", 500],
    [2, 2_000],
  ])("reads %s cores as %d thousandths", (value, millis) => expect(cpu().parse(value)).toBe(millis));

  it("shows sizes in their unit", () => expect([0, 14_336, 1_610_612_736].map(formatBytes)).toEqual(["0 B", "14 KiB", "1.5 GiB"]));
});
