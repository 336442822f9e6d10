import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, scratchFolder, startBerth } from "./harness/berth.js";

/** Names that are fixed although Prometheus would have others. */
const fixed = new Set([
  "dispatcher_global_running_count",
  "dispatcher_pool_running_count",
  "dispatcher_total_assignments",
  // prom-client's.
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
]);
const known = /^(dispatcher|berth|grpc_server|process|nodejs)_[a-z0-9_]+$/;

const folder = scratchFolder();
let berth: Berth;

beforeAll(async () => {
  berth = await startBerth(folder.path);
  await berth.client.pools.createLimit({ limit: { limit: "tenant:acme", capacity: 1n } });
});
afterAll(async () => {
  await berth?.stop();
  folder.remove();
});

describe.each(["registry", "poolManager", "scheduler", "metrics"] as const)("/metrics of %s", (service) => {
  it("names, helps and types follow Prometheus' rules, and no label comes and goes without a bound", async () => {
    const text = await (await fetch(`${berth.http(service)}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line !== "");
    const types = new Map(
      lines.flatMap((line) => {
        const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
        return name === "" ? [] : [[name, type] as const];
      }),
    );
    expect(types.size).toBeGreaterThan(5);
    for (const [name, type] of types) {
      expect(lines.filter((line) => line.startsWith(`# TYPE ${name} `)).length, name).toBe(1);
      expect(lines.filter((line) => new RegExp(`^# HELP ${name} \\S`).test(line)).length, name).toBe(1);
      expect(name).toMatch(known);
      if (fixed.has(name)) continue;
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      expect(name, "only histograms and summaries count and sum").not.toMatch(/_(count|sum|bucket)$/);
    }
    const samples = lines.filter((line) => !line.startsWith("#"));
    for (const sample of samples) {
      const name = /^[a-z0-9_]+/.exec(sample)?.[0] ?? "";
      const family = types.has(name) ? name : name.replace(/_(count|sum|bucket)$/, "");
      expect(types.has(family), `${sample} has no type`).toBe(true);
      expect(sample).not.toMatch(/="(runner|tenant):/);
    }
  });
});
