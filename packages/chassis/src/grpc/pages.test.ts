import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FieldCheck } from "./field-check.js";
import { pageAsked, pageOf, pageToken } from "./pages.js";

const refused = expect.objectContaining({ reason: "INVALID_FIELD" });

function thrownBy(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

describe("pages", () => {
  it("of any size give every item once, in order, and end with an empty token", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), fc.integer({ min: 1, max: 20 }), (names, pageSize) => {
        const all = names.sort();
        const given: string[] = [];
        let token = "";
        do {
          const { max, behind } = pageAsked({ pageSize, pageToken: token }, ["string"]);
          const from = behind === undefined ? all : all.filter((name) => name > behind[0]);
          const { items, nextPageToken } = pageOf(from.slice(0, max + 1), max, (last) => [last]);
          expect(items.length).toBeLessThanOrEqual(pageSize);
          given.push(...items);
          token = nextPageToken;
        } while (token !== "");
        expect(given).toEqual(all);
      }),
    );
  });

  it("have the usual size when none is said, and no more than the most", () => {
    const sizes = [0, 1, 7, 8].map((pageSize) => pageAsked({ pageSize, pageToken: "" }, [], { usual: 3, most: 7 }).max);
    expect(sizes).toEqual([3, 1, 7, 7]);
    expect(pageAsked({ pageSize: 0, pageToken: "" }, []).max).toBe(100);
    expect(pageAsked({ pageSize: 5_000, pageToken: "" }, []).max).toBe(1_000);
  });

  it("refuse a token that the method didn't give, whatever is in it", () => {
    const other = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.json().map((text) => Buffer.from(text).toString("base64url")),
      fc.constantFrom(pageToken(["a"]), pageToken([1]), pageToken([1, 2]), pageToken(["a", 1]), pageToken([1, "a", 2])),
      fc.constant("A".repeat(2_000_000)),
    );
    fc.assert(
      fc.property(other, (token) => {
        expect(thrownBy(() => pageAsked({ pageSize: 0, pageToken: token }, ["number", "string"]))).toEqual(refused);
      }),
    );
    expect(pageAsked({ pageSize: 0, pageToken: pageToken([7, "a"]) }, ["number", "string"]).behind).toEqual([7, "a"]);
  });

  it("name a wrong size and a wrong token in one error with the other fields", () => {
    const check = new FieldCheck().length("limit", "", 1, 127);
    pageAsked({ pageSize: -1, pageToken: "x" }, ["number"], undefined, check);
    expect(check.violations.map(({ field }) => field)).toEqual(["limit", "page_size", "page_token"]);
  });
});
