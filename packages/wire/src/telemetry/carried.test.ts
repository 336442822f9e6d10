import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { noTraceContext, readTraceContext } from "./index.js";

const traceParent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
const stateOf = (traceState: string) => readTraceContext({ traceParent, traceState }).traceState;
const baggageOf = (baggage: string) => readTraceContext({ baggage }).baggage;
const members = (count: number, length = 3) =>
  Array.from({ length: count }, (_, index) => `${`k${index}=`.padEnd(length, "v")}v`);

describe("a trace context that was given", () => {
  it("goes on as it is where it keeps the rules", () => {
    const given = { traceParent, traceState: "vendor=a b,tenant@sys=1", baggage: "a=1;p=2,b=%20" };
    expect(readTraceContext(given)).toEqual(given);
    expect(readTraceContext({})).toEqual(noTraceContext);
  });

  it("is nothing where the trace parent is none, but for baggage", () =>
    expect(readTraceContext({ traceParent: "00-x", traceState: "a=1", baggage: "a=1" })).toEqual({
      ...noTraceContext,
      baggage: "a=1",
    }));

  it("of a later version goes on as version 00", () =>
    expect(readTraceContext({ traceParent: `01${traceParent.slice(2)}-more` }).traceParent).toBe(traceParent));

  it.each([
    ["empty members are none", "a=1, ,b=2", "a=1,b=2"],
    ["spaces around members go", " a=1\t,b=2 ", "a=1,b=2"],
    ["a member without value spoils all", "a=1,b", ""],
    ["an upper-case key spoils all", "A=1", ""],
    ["a second equals sign spoils all", "a=1=2", ""],
    ["what isn't ASCII spoils all", "a=ä", ""],
    ["32 members are as many as there may be", members(32).join(","), members(32).join(",")],
    ["33 members are too many", members(33).join(","), ""],
    [
      "members above 128 characters go first",
      ["a=1", ...members(5, 150), "z=1"].join(","),
      ["a=1", ...members(3, 150), "z=1"].join(","),
    ],
    ["then those at the end", members(10, 99).join(","), members(5, 99).join(",")],
  ])("trace state: %s", (_, given, expected) => expect(stateOf(given)).toBe(expected));

  it.each([
    ["what is no member goes alone", "a=1,nonsense,b=2,=3,c d=4", "a=1,b=2"],
    ["a line break is never handed on", "a=1\nb,c=2", "c=2"],
    ["members that don't fit go whole", `a=1,b=${"x".repeat(8_192)},c=2`, "a=1,c=2"],
  ])("baggage: %s", (_, given, expected) => expect(baggageOf(given)).toBe(expected));

  it("is within W3C's bounds, made of whole members that were given, and the same when it is read again, whatever was given", () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc
        .array(fc.tuple(fc.stringMatching(/^[a-z]{1,5}$/), fc.string({ unit: "grapheme-ascii", maxLength: 300 })), {
          maxLength: 60,
        })
        .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join(",")),
    );
    fc.assert(
      fc.property(text, text, (traceState, baggage) => {
        const read = readTraceContext({ traceParent, traceState, baggage });
        expect(read.traceState.length).toBeLessThanOrEqual(512);
        expect(Buffer.byteLength(read.baggage)).toBeLessThanOrEqual(8_192);
        expect(read.traceState + read.baggage).toMatch(/^[\x20-\x7e\t]*$/);
        const given = `${traceState},${baggage}`.split(",").map((member) => member.trim());
        for (const member of `${read.traceState},${read.baggage}`.split(",")) expect(["", ...given]).toContain(member);
        expect(readTraceContext(read)).toEqual(read);
      }),
    );
  });
});
