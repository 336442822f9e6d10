import { describe, expect, it } from "vitest";
import { duration, formatBytes, formatDuration, wireDuration, wireMs } from "./quantities.js";

describe("durations", () => {
  it("demand their unit", () => {
    expect(duration().parse("1m30s")).toBe(90_000);
    for (const value of [10, "10"])
      expect(duration().safeParse(value).error?.issues[0]?.message).toContain("isn't a duration");
  });

  it.each([
    [0, "0ms"],
    [4, "4ms"],
    [40, "40ms"],
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

describe("sizes", () => {
  it("shows sizes in their unit", () =>
    expect([0, 14_336, 1_610_612_736].map(formatBytes)).toEqual(["0 B", "14 KiB", "1.5 GiB"]));
});
