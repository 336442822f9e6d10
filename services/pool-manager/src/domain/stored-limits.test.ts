import { describe, expect, it } from "vitest";
import { PoolCore } from "./core.js";
import { settings } from "./fixtures.js";
import { type Limit, plainLimit } from "./limits.js";

const wallMs = 1_000_000;

/** A core over limits as an earlier version left them in its rows. */
function coreOf(...limits: Limit[]): PoolCore {
  const core = new PoolCore(settings);
  core.load(limits.map((limit) => ({ t: "limit", name: limit.name, limit })));
  core.decide({ kind: "begin", dataId: "d", leaseKey: "00", pools: [], limits: [] }, { monoMs: 0, wallMs });
  return core;
}

describe("limits in rows of earlier versions", () => {
  it("go back at the end of what was temporary, with a reserve that fits", () => {
    const core = coreOf({ ...plainLimit("x", 9), reserve: 4, expireMs: wallMs + 10, revertCapacity: 2 });
    expect(core.state.limits.get("x")).toMatchObject({ capacity: 9, revertCapacity: 2 });
    core.decide({ kind: "tick" }, { monoMs: 10, wallMs: wallMs + 10 });
    expect(core.state.limits.get("x")).toMatchObject({ capacity: 2, reserve: 2 });
    expect(core.state.limits.get("x")).not.toHaveProperty("expireMs");
  });

  it("are lasting where they have a capacity for afterwards and no time", () => {
    const core = coreOf({ ...plainLimit("x", 9), revertCapacity: 2 });
    const now = { monoMs: 1, wallMs: wallMs + 1 };
    core.decide({ kind: "updateLimit", name: "x", patch: { capacity: 5 }, etag: "", forMs: 10 }, now);
    expect(core.state.limits.get("x")).toMatchObject({ capacity: 5, revertCapacity: 9 });
  });

  it("with a reserve above the capacity can be mended by either", () => {
    for (const patch of [{ reserve: 1 }, { capacity: 5 }]) {
      const core = coreOf({ ...plainLimit("x", 2), reserve: 4 });
      const { outcome } = core.decide({ kind: "updateLimit", name: "x", patch, etag: "" }, { monoMs: 1, wallMs });
      expect(outcome).toMatchObject(patch);
    }
  });
});
