import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Silence } from "./silence.js";

describe("a silent peer", () => {
  it("is never found by own lateness: each look counts for 500 ms at most, and a byte begins it anew", () => {
    const looks = fc.array(fc.record({ afterMs: fc.nat(60_000), heard: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(looks, (sequence) => {
        const silence = new Silence(3_000, 0);
        let [nowMs, bytes, livedMs] = [0, 0, 0];
        silence.look(bytes, nowMs);
        for (const { afterMs, heard } of sequence) {
          nowMs += afterMs;
          bytes += heard ? 1 : 0;
          livedMs = heard ? 0 : livedMs + Math.min(afterMs, 500);
          expect(silence.look(bytes, nowMs)).toBe(livedMs >= 3_000);
        }
      }),
    );
  });
});
