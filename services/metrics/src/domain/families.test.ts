import { describe, expect, it } from "vitest";
import { familiesOf } from "./families.js";
import { type PoolStatus, utilization } from "./snapshot.js";

const pool: PoolStatus = {
  revision: 42,
  running: 3,
  started: 2,
  drift: 0,
  limits: [
    { limit: "global", used: 3, capacity: 4, overCommitted: 0 },
    { limit: "pool:build", used: 3, capacity: 2, overCommitted: 1 },
    { limit: "pool:idle", used: 0, capacity: 0, overCommitted: 0 },
  ],
  pools: [
    { pool: "build", running: 3 },
    { pool: "idle", running: 0 },
  ],
};

function values(snapshot: Parameters<typeof familiesOf>[0]): Record<string, number> {
  return Object.fromEntries(
    familiesOf(snapshot).flatMap(({ name, values: all }) =>
      all.map(([label, value]) => [label ? `${name}:${label}` : name, value]),
    ),
  );
}

describe("utilization", () => {
  it.each([
    [0, 10, 0],
    [5, 10, 0.5],
    [12, 10, 1],
    [0, 0, 0],
    [1, 0, 1],
  ])("of %d used in %d is %d", (used, capacity, expected) => {
    expect(utilization(used, capacity)).toBe(expected);
  });
});

describe("the exported families", () => {
  it("say everything from one snapshot", () => {
    expect(values({ pool, queue: { queueSize: 7, averageWaitMs: 1_500, assignmentsTotal: 9 } })).toEqual({
      "berth_up:pool-manager": 1,
      "berth_up:scheduler": 1,
      dispatcher_global_running_count: 3,
      dispatcher_running_tasks: 2,
      dispatcher_max_global_concurrency: 4,
      dispatcher_global_utilization: 0.75,
      "dispatcher_pool_running_count:build": 3,
      "dispatcher_pool_running_count:idle": 0,
      "dispatcher_pool_utilization:build": 1,
      "dispatcher_pool_utilization:idle": 0,
      "berth_limit_used:global": 3,
      "berth_limit_used:pool:build": 3,
      "berth_limit_used:pool:idle": 0,
      "berth_limit_capacity:global": 4,
      "berth_limit_capacity:pool:build": 2,
      "berth_limit_capacity:pool:idle": 0,
      "berth_limit_overcommit:global": 0,
      "berth_limit_overcommit:pool:build": 1,
      "berth_limit_overcommit:pool:idle": 0,
      berth_pool_count_drift: 0,
      berth_pool_revision: 42,
      dispatcher_queue_size: 7,
      dispatcher_average_wait_time_seconds: 1.5,
      dispatcher_total_assignments: 9,
    });
  });

  it("leave out what a service didn't say", () => {
    expect(values({ pool: undefined, queue: undefined })).toEqual({
      "berth_up:pool-manager": 0,
      "berth_up:scheduler": 0,
    });
  });

  it("have names that Prometheus likes", () => {
    for (const { name, help } of familiesOf({ pool, queue: undefined })) {
      expect(name).toMatch(/^(dispatcher|berth)_[a-z_]+$/);
      expect(help.endsWith(".")).toBe(true);
    }
  });
});
