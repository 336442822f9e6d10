import { type PoolStatus, type QueueStatus, type Snapshot, utilization } from "./snapshot.js";

/** One metric with its values, as it is exported. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  /** Name of its one label; undefined for none. */
  readonly label?: string;
  /** Values by label; the label is empty where there is none. */
  readonly values: readonly (readonly [label: string, value: number])[];
}

/** Everything that a snapshot says, from that snapshot alone. What a service didn't say is left out. */
export function familiesOf({ pool, queue }: Snapshot): Family[] {
  const up: Family = {
    name: "berth_up",
    help: "1 if the service answered this scrape.",
    type: "gauge",
    label: "service",
    values: [
      ["pool-manager", pool ? 1 : 0],
      ["scheduler", queue ? 1 : 0],
    ],
  };
  return [up, ...(pool ? poolFamilies(pool) : []), ...(queue ? queueFamilies(queue) : [])];
}

function poolFamilies({ revision, running, started, drift, limits, pools }: PoolStatus): Family[] {
  const byName = new Map(limits.map((limit) => [limit.limit, limit]));
  // Runners and tenants come and go without a bound; a label for each of them would too. GetStatus and GetConcurrency have them.
  const labelled = limits.filter(({ limit }) => !/^(runner|tenant):/.test(limit));
  const global = byName.get("global");
  const capacityOf = (pool: string): number => byName.get(`pool:${pool}`)?.capacity ?? 0;
  return [
    one("dispatcher_global_running_count", "Occupying leases.", running),
    one("dispatcher_running_tasks", "Occupying leases whose run has begun.", started),
    ...(global
      ? [
          one("dispatcher_max_global_concurrency", "Capacity of the limit global.", global.capacity),
          one(
            "dispatcher_global_utilization",
            "Share of the limit global that is used, 0 to 1.",
            utilization(global.used, global.capacity),
          ),
        ]
      : []),
    many(
      "dispatcher_pool_running_count",
      "Occupying leases of a pool.",
      "pool",
      pools.map(({ pool, running: count }) => [pool, count]),
    ),
    many(
      "dispatcher_pool_utilization",
      "Share of a pool that is used, 0 to 1.",
      "pool",
      pools.map(({ pool, running: count }) => [pool, utilization(count, capacityOf(pool))]),
    ),
    many(
      "berth_limit_used",
      "Units of a limit that are used.",
      "limit",
      labelled.map(({ limit, used }) => [limit, used]),
    ),
    many(
      "berth_limit_capacity",
      "Units of a limit that there are.",
      "limit",
      labelled.map(({ limit, capacity }) => [limit, capacity]),
    ),
    many(
      "berth_limit_overcommit",
      "Units of a limit that are used beyond its capacity, after that was lowered.",
      "limit",
      labelled.map(({ limit, overCommitted }) => [limit, overCommitted]),
    ),
    one(
      "berth_pool_count_drift",
      "Difference between the counts and the rows that the auditor found; always 0.",
      drift,
    ),
    one("berth_pool_revision", "Number of the pool-manager's commit that this was read at.", revision),
  ];
}

function queueFamilies({ queueSize, averageWaitMs, assignmentsTotal }: QueueStatus): Family[] {
  return [
    one("dispatcher_queue_size", "Ready tasks without a lease.", queueSize),
    one(
      "dispatcher_average_wait_time_seconds",
      "Mean time from ready to granted over the last 1,000 grants.",
      (averageWaitMs ?? 0) / 1_000,
    ),
    {
      ...one("dispatcher_total_assignments", "Grants handed out since the scheduler started.", assignmentsTotal),
      type: "counter",
    },
  ];
}

function one(name: string, help: string, value: number): Family {
  return { name, help, type: "gauge", values: [["", value]] };
}

function many(name: string, help: string, label: string, values: Family["values"]): Family {
  return { name, help, type: "gauge", label, values };
}
