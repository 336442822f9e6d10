import { describe, expect, it } from "vitest";
import { bytes, cpu, duration } from "./index.js";
import { check } from "./issue.js";

function refusal(schema: Parameters<typeof check>[0], value: unknown): string {
  const checked = check(schema, value);
  return "findings" in checked ? (checked.findings[0]?.message ?? "") : `accepted as ${String(checked.data)}`;
}

describe("duration", () => {
  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    [" 3s ", 3_000],
    [250, 250],
    [0, 0],
  ])("%j is %d milliseconds", (given, ms) => expect(duration().parse(given)).toBe(ms));

  it.each(["", "10", "10x", "-1s", "s", "1e3s", "ten seconds", Number.NaN, Number.POSITIVE_INFINITY, null, [], true])(
    "%j isn't one",
    (given) => {
      expect(refusal(duration(), given)).toMatch(
        /isn't a duration: write 500ms, 10s, 5m, 2h, 7d or a number of milliseconds$/,
      );
    },
  );

  it("names value and bound", () => {
    expect(refusal(duration({ min: 1_000 }), "10ms")).toBe('"10ms" is below the minimum, 1000 ms');
    expect(refusal(duration({ max: 60_000 }), "2m")).toBe('"2m" is above the maximum, 60000 ms');
    expect(refusal(duration(), -1)).toBe("-1 is below the minimum, 0 ms");
    expect(refusal(duration(), `${"9".repeat(40)}d`)).toMatch(/is above the maximum/);
  });
});

describe("bytes", () => {
  it.each([
    ["512MiB", 512 * 2 ** 20],
    ["512Mi", 512 * 2 ** 20],
    ["64KiB", 65_536],
    ["1GB", 1e9],
    ["1 GiB", 2 ** 30],
    ["1.5k", 1_500],
    ["100", 100],
    ["100B", 100],
    [7, 7],
  ])("%j is %d", (given, count) => expect(bytes().parse(given)).toBe(count));

  it.each(["", "MiB", "1XB", "-1", {}, Number.NaN])("%j isn't a number of them", (given) => {
    expect(refusal(bytes(), given)).toMatch(/isn't a number of bytes/);
  });

  it("names value and bound", () => {
    expect(refusal(bytes({ max: 1_024 }), "1MiB")).toBe('"1MiB" is above the maximum, 1024 bytes');
    expect(refusal(bytes(), "99999999TiB")).toMatch(/is above the maximum, 9007199254740991 bytes/);
  });
});

describe("cpu", () => {
  it.each([
    ["0.5", 500],
    ["500m", 500],
    ["2", 2_000],
    [2, 2_000],
    [0.25, 250],
    ["0", 0],
  ])("%j is %d thousandths", (given, millis) => expect(cpu().parse(given)).toBe(millis));

  it.each(["", "m", "two", "-1", Number.NaN, false])("%j isn't a number of cores", (given) => {
    expect(refusal(cpu(), given)).toMatch(/isn't a number of cores/);
  });

  it("names value and bound", () =>
    expect(refusal(cpu({ max: 64_000 }), 65)).toBe("65 is above the maximum, 64 cores"));
});
