import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Point, rolledUp, spanStart } from "./roll-up.js";

const sample = (wallMs: number, used: number, capacity = 10): Point => ({
  wallMs,
  usedSum: used,
  samples: 1,
  usedMax: used,
  capacity,
});

describe("a roll-up", () => {
  it("gives mean, most and the last capacity of each span, and keeps gaps", () => {
    const points = [sample(0, 1), sample(5_000, 3, 12), sample(60_000, 4), sample(240_000, 0)];
    expect(rolledUp(points, 60_000)).toEqual([
      { wallMs: 0, usedSum: 4, samples: 2, usedMax: 3, capacity: 12 },
      { wallMs: 60_000, usedSum: 4, samples: 1, usedMax: 4, capacity: 10 },
      { wallMs: 240_000, usedSum: 0, samples: 1, usedMax: 0, capacity: 10 },
    ]);
  });

  it("keeps sums, counts and the most, and by way of minutes gives the same as directly", () => {
    const point = fc.record({ gapMs: fc.integer({ min: 1, max: 200_000 }), used: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(point, { maxLength: 200 }), fc.integer({ min: 1, max: 30 }), (gaps, minutes) => {
        let wallMs = 0;
        const points = gaps.map(({ gapMs, used }) => {
          wallMs += gapMs;
          return sample(wallMs, used, used + 1);
        });
        const spanMs = minutes * 60_000;
        const rolled = rolledUp(points, spanMs);
        expect(rolled).toEqual(rolledUp(rolledUp(points, 60_000), spanMs));
        const sum = (list: readonly Point[], of: (one: Point) => number): number =>
          list.reduce((total, one) => total + of(one), 0);
        expect(sum(rolled, (one) => one.usedSum)).toBe(sum(points, (one) => one.usedSum));
        expect(sum(rolled, (one) => one.samples)).toBe(points.length);
        for (const { wallMs: start } of rolled) expect(spanStart(start, spanMs)).toBe(start);
        for (let at = 1; at < rolled.length; at++)
          expect((rolled[at] as Point).wallMs).toBeGreaterThan((rolled[at - 1] as Point).wallMs);
      }),
    );
  });
});
