import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { visible, visibleLine } from "./index.js";

describe("a text of others", () => {
  it.each([
    ["\u001b[2J\u001b]0;title\u0007", "\\x1b[2J\\x1b]0;title\\x07"],
    ["\u009b31m \u009d0;x\u009c", "\\x9b31m \\x9d0;x\\x9c"],
    ["user\u202egnp.exe\u2066", "user\\u202egnp.exe\\u2066"],
    ["50 %\r99 %\b", "50 %\\r99 %\\x08"],
    ["a\u2028b\u2029c\ufeff\u200f", "a\\u2028b\\u2029c\\ufeff\\u200f"],
    ["\ud800 \udc00", "\\ud800 \\udc00"],
    ["tab\tand\nline", "tab\tand\nline"],
    ["Grüße \u{1F600} 日本 עברית", "Grüße \u{1F600} 日本 עברית"],
  ])("%j is shown as %s", (given, shown) => expect(visible(given)).toBe(shown));

  it("never makes a second line, nor tells a terminal anything", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (given) => {
        expect(visible(given)).not.toMatch(/(?![\t\n])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
        expect(visibleLine(given)).not.toMatch(/[\n\r\u2028\u2029]/);
      }),
    );
  });
});
