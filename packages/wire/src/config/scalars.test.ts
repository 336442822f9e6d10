import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { asWritten, parseYaml } from "./index.js";

const schema = z.strictObject({
  env: z.record(z.string(), asWritten(z.union([z.string(), z.number(), z.boolean()]))).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  run: z.union([z.string(), z.array(z.string())]).optional(),
  count: z.number().optional(),
  payload: z.json().optional(),
});
const read = (text: string) => parseYaml(text, schema, "tasks.yaml");

/** What YAML takes for a number or a boolean. */
const plain = fc.oneof(
  fc.constantFrom(
    "1.10",
    "0755",
    "12345678901234567890",
    "0x1F",
    "0o17",
    "1e3",
    "True",
    "false",
    "-0",
    "+5",
    ".5",
    "007",
  ),
  fc.integer().map(String),
  fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
  fc.tuple(fc.nat(), fc.stringMatching(/^[0-9]{1,20}$/)).map(([whole, rest]) => `${whole}.${rest}`),
);

describe("a plain scalar", () => {
  it("is taken as it is written where a text is wanted", () => {
    fc.assert(
      fc.property(plain, (written) => {
        const texts = `env: {A: ${written}}\nlabels: {a: ${written}}\nrun: [echo, ${written}]\n`;
        expect(read(texts)).toEqual({ env: { A: written }, labels: { a: written }, run: ["echo", written] });
      }),
    );
  });

  it("is taken as it is written where it is a key", () => {
    fc.assert(
      fc.property(plain, (written) => {
        expect(read(`labels: {${written}: a}\npayload: {${written}: b}`)).toEqual({
          labels: { [written]: "a" },
          payload: { [written]: "b" },
        });
      }),
    );
  });

  it("is kept exactly where a number is wanted, or refused with line and column", () => {
    fc.assert(
      fc.property(plain, (written) => {
        let kept: unknown;
        try {
          kept = read(`payload:\n  a: [${written}]`).payload;
        } catch (error) {
          expect((error as Error).message).toMatch(
            /^tasks\.yaml:2:7: \S+ (begins with 0|can't be kept exactly).*quote it/,
          );
          return;
        }
        const [value] = (kept as { a: (number | boolean)[] }).a;
        if (typeof value === "boolean") {
          expect(String(value)).toBe(written.toLowerCase());
          return;
        }
        // The same number, by arithmetic that doesn't round.
        expect(exact(written)).toBe(exact(JSON.stringify(value)));
      }),
    );
  });

  it.each([
    [
      "payload: 12345678901234567890",
      "12345678901234567890 can't be kept exactly (it would become 12345678901234567000)",
    ],
    ["payload: 9007199254740993", "9007199254740993 can't be kept exactly"],
    ["payload: 0755", "0755 begins with 0"],
    ["payload: 3.14159265358979323846", "can't be kept exactly"],
    ["payload: 0xFFFFFFFFFFFFFFFFF", "can't be kept exactly"],
    ["payload: 1e-400", "1e-400 can't be kept exactly (it would become 0)"],
    ["count: 007", "007 begins with 0"],
  ])("%s is refused", (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it.each([
    ["1.0", 1],
    ["1.10", 1.1],
    ["0x1F", 31],
    ["0o17", 15],
    ["1e3", 1000],
    ["9007199254740991", 2 ** 53 - 1],
    ["0", 0],
  ])("%s is a number where one is wanted", (written, value) => {
    expect(read(`count: ${written}\npayload: ${written}`)).toEqual({ count: value, payload: value });
  });
});

describe("the key __proto__", () => {
  it.each([
    ["env:\n  __proto__: x", "tasks.yaml:2:3: "],
    ["labels: {__proto__: x}", "tasks.yaml:1:10: "],
    ['payload:\n  deep:\n    - {"__proto__": {admin: true}}', "tasks.yaml:3:8: "],
    ["__proto__: x", "tasks.yaml:1:1: "],
    ["count: 1\npayload: [&a {__proto__: 1}, *a]", "tasks.yaml:2:15: "],
  ])("of %j is refused with line and column", (text, place) => {
    expect(() => read(text)).toThrow(`${place}the key "__proto__" would be lost`);
  });

  it("is the only one: what else objects inherit is kept", () => {
    const text = "labels: {constructor: a, prototype: b, toString: c, hasOwnProperty: d}";
    expect(read(text)).toEqual({ labels: { constructor: "a", prototype: "b", toString: "c", hasOwnProperty: "d" } });
  });
});

/** A decimal or prefixed number as a fraction of powers of ten, in one spelling. */
function exact(text: string): string {
  if (/^0[xo]/.test(text)) return exact(String(BigInt(text)));
  const [mantissa = "", exponent = "0"] = text.replace("+", "").toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  let value = BigInt(`${whole.replace("-", "") || "0"}${fraction}`);
  let scale = Number(exponent) - fraction.length;
  while (value !== 0n && value % 10n === 0n) {
    value /= 10n;
    scale += 1;
  }
  return value === 0n ? "0" : `${whole.startsWith("-") ? "-" : ""}${value}e${scale}`;
}
