import { describe, expect, it } from "vitest";
import { mostOverlapping, type Run } from "./records.js";

const run = (startNs: number, endNs: number | undefined): Run => ({
  task: "s/t",
  attempt: 1,
  pool: "p",
  pid: startNs,
  startNs: BigInt(startNs),
  endNs: endNs === undefined ? undefined : BigInt(endNs),
});

describe("the overlap checker", () => {
  it.each([
    ["nothing", [], 0],
    ["one after the other", [run(0, 10), run(10, 20)], 1],
    ["two of three at once", [run(0, 10), run(5, 15), run(12, 20)], 2],
    ["all at once", [run(0, 10), run(1, 9), run(2, 8)], 3],
  ] as const)("finds %s", (_, runs, most) => expect(mostOverlapping(runs)).toBe(most));

  it("takes a killed run to last until the kill, and refuses to guess without one", () => {
    expect(mostOverlapping([run(0, undefined), run(50, 60)], 55n)).toBe(2);
    expect(mostOverlapping([run(0, undefined), run(50, 60)], 40n)).toBe(1);
    expect(() => mostOverlapping([run(0, undefined)])).toThrow(/has no end/);
  });
});
