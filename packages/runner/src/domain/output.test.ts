import fc from "fast-check";
import { expect, test } from "vitest";
import { OutputBuffer, pieceBytesMax } from "./output.js";

test("everything within the limit is kept in order, with offsets over both streams", () => {
  const output = new OutputBuffer(100);
  output.write(Buffer.from("out"), false);
  output.write(Buffer.from("err"), true);
  output.write(Buffer.from("more"), false);
  expect(output.take(1000).map((piece) => [piece.offset, piece.data.toString(), piece.stderr])).toEqual([
    [0, "out", false],
    [3, "err", true],
    [6, "more", false],
  ]);
  expect(output.waitingBytes).toBe(0);
});

test("the middle is cut, the beginning and the end stay", () => {
  const output = new OutputBuffer(20_000);
  for (let line = 0; line < 10_000; line++) output.write(Buffer.from(`line ${line}\n`), false);
  const text = output
    .take(1e6)
    .map((piece) => piece.data.toString())
    .join("");
  expect(text.startsWith("line 0\nline 1\n")).toBe(true);
  expect(text.endsWith("line 9999\n")).toBe(true);
  expect(text.length).toBeLessThanOrEqual(20_000);
  expect(text.length).toBeGreaterThan(12_000);
});

test("a piece larger than what is kept of the end keeps its own end", () => {
  const output = new OutputBuffer(20);
  output.write(Buffer.from(`beginning ${"x".repeat(50_000)} the end\n`), false);
  expect(output.take(1e6).map((piece) => [piece.offset, piece.data.toString()])).toEqual([
    [0, "beginning "],
    [50_009, "x the end\n"],
  ]);
});

test("memory is bounded by the limit, offsets grow, and the newest byte is always there", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 300_000 }),
      fc.array(
        fc.record({
          bytes: fc.integer({ min: 1, max: 200_000 }),
          stderr: fc.boolean(),
          take: fc.option(fc.integer({ min: 1, max: 100_000 })),
        }),
        {
          maxLength: 40,
        },
      ),
      (limit, steps) => {
        const output = new OutputBuffer(limit);
        let total = 0;
        let end = 0;
        const check = (pieces: ReturnType<OutputBuffer["take"]>): void => {
          for (const piece of pieces) {
            expect(piece.offset).toBeGreaterThanOrEqual(end);
            expect(piece.data.length).toBeLessThanOrEqual(pieceBytesMax);
            end = piece.offset + piece.data.length;
          }
        };
        for (const step of steps) {
          output.write(Buffer.alloc(step.bytes), step.stderr);
          total += step.bytes;
          expect(output.waitingBytes).toBeLessThanOrEqual(limit);
          if (step.take !== null) check(output.take(step.take));
        }
        while (output.waitingBytes > 0) check(output.take(50_000));
        expect(output.totalBytes).toBe(total);
        expect(end).toBe(total);
      },
    ),
  );
});
