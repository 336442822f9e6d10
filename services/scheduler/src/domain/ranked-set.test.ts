import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byRank, RankedSet } from "./ranked-set.js";

const item = (rank: number) => ({ rank, name: `t${rank}` });

describe("a ranked set", () => {
  it("agrees with a sorted array after any insertions and removals", () => {
    const step = fc.record({ remove: fc.boolean(), rank: fc.nat(3_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2_500 }), (steps) => {
        const set = new RankedSet<{ rank: number; name: string }>();
        const model = new Map<number, { rank: number; name: string }>();
        for (const { remove, rank } of steps) {
          if (remove) expect(set.remove(item(rank))).toBe(model.delete(rank));
          else if (!model.has(rank)) {
            model.set(rank, item(rank));
            set.add(item(rank));
          }
        }
        const sorted = [...model.values()].sort(byRank);
        expect([...set.behind()]).toEqual(sorted);
        expect(set.size).toBe(sorted.length);
        expect(set.first()).toEqual(sorted[0]);
        expect(set.last()).toEqual(sorted.at(-1));
        const key = item(1_500);
        expect(set.countBefore(key)).toBe(sorted.filter((one) => one.rank < 1_500).length);
        expect([...set.behind(key)]).toEqual(sorted.filter((one) => one.rank > 1_500));
      }),
      { numRuns: 30 },
    );
  });

  it("keeps order across the splitting of chunks", () => {
    const set = new RankedSet<{ rank: number; name: string }>();
    for (let rank = 5_000; rank > 0; rank--) set.add(item(rank));
    const out: number[] = [];
    for (let first = set.first(); first; first = set.first()) {
      out.push(first.rank);
      set.remove(first);
    }
    expect(out).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1));
  });

  it("orders equal ranks by name and refuses a double", () => {
    const set = new RankedSet<{ rank: number; name: string }>();
    set.add({ rank: 1, name: "b" });
    set.add({ rank: 1, name: "a" });
    expect([...set.behind()].map((one) => one.name)).toEqual(["a", "b"]);
    expect(() => set.add({ rank: 1, name: "a" })).toThrow("a is there already");
    expect(set.size).toBe(2);
  });
});
