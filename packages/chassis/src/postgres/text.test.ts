import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromColumn, toColumn } from "./text.js";

describe("texts for columns", () => {
  const text = fc.string({ unit: fc.constantFrom("\\", "\0", "0", "a", "\u{1F600}") });

  it("come back as they were, and hold no NUL", () => {
    fc.assert(
      fc.property(text, (given) => {
        expect(toColumn(given)).not.toContain("\0");
        expect(fromColumn(toColumn(given))).toBe(given);
      }),
    );
  });

  it("stay as they are without NUL and backslash", () => {
    expect(toColumn("s/t 1 \u{1F600} '\"")).toBe("s/t 1 \u{1F600} '\"");
  });
});
