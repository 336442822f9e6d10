import { describe, expect, it } from "vitest";
import { drain } from "../bench/drain.js";

/** Hops that every task takes. Of those of the runs begun, only runs that last are told; and output only where there is some. */
const hops = ["submit", "ready", "bid", "run", "grant", "work", "completion", "lease_event", "update"];

describe("2,000 no-op tasks under limits, with 1,000 and more waiting", () => {
  it("run once each, and share messages and commits with more than 20 others on every hop", async () => {
    const drained = await drain({ tasks: 2_000, slots: 100, limits: 1, tenants: 1 });
    expect(drained.faults).toEqual([]);
    const mean = new Map<string, number>();
    for (const hop of hops) {
      const parts = drained.hops.filter((one) => one.hop === hop);
      const sum = (name: "items" | "messages") => parts.reduce((total, part) => total + part[name], 0);
      mean.set(hop, sum("items") / sum("messages"));
    }
    expect([...mean].filter(([, items]) => !(items > 20))).toEqual([]);
    const submitted = drained.hops.filter(({ hop }) => hop === "submit");
    expect(submitted.map(({ items }) => items)).toEqual([2_000]);
    expect(drained.spool.outcomes / drained.spool.fsyncs).toBeGreaterThan(20);
    for (const { service, changes, commits, rows } of drained.drainCommits) {
      expect(changes / commits, service).toBeGreaterThan(20);
      // One row a task, and those of pools, runners and figures, which don't grow with the tasks.
      expect(rows, service).toBeGreaterThanOrEqual(2_000);
      expect(rows, service).toBeLessThan(2_000 * 1.05);
    }
    expect(drained.submitCommits.map(({ rows }) => rows)[0]).toBe(2_000);
    console.log(`drain: ${[...mean].map(([hop, items]) => `${hop} ${items.toFixed(0)}`).join(", ")} items per message`);
  });
});
