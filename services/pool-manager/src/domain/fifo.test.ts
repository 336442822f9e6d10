import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "./fifo.js";

describe("a fifo", () => {
  it("does what an array does with push and shift", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer(), { nil: undefined })), (steps) => {
        const [fifo, array] = [new Fifo<number>(), [] as number[]];
        for (const step of steps) {
          if (step === undefined) {
            fifo.shift();
            array.shift();
          } else {
            fifo.push(step);
            array.push(step);
          }
          expect(fifo.size).toBe(array.length);
          expect(fifo.peek()).toBe(array[0]);
        }
      }),
    );
  });
});
