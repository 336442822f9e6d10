import { exportEngine } from "@berth/chassis/http";
import { Counter, Gauge, type Registry } from "prom-client";
import { releaseReasons } from "../domain/lease.js";
import { overCommitted } from "../domain/limits.js";
import { type Status, statusOf } from "../domain/status.js";
import type { PoolEngine } from "../engine/service.js";

/** Registers the metrics. Returns what must be awaited before a scrape: it sets every gauge from one snapshot, so that one answer agrees with itself. */
export function registerMetrics(
  registry: Registry,
  engine: PoolEngine,
  now: () => { monoMs: number; wallMs: number },
): () => Promise<void> {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers });
  // The names without `manager` are the metrics service's, which tells the same of all services: a sum over the ports then counts nothing twice.
  const leases = gauge("berth_pool_manager_leases", "Occupying leases of a pool.", ["pool"]);
  const started = gauge("berth_pool_manager_leases_started", "Occupying leases whose run has begun.");
  const drift = gauge(
    "berth_pool_manager_count_drift",
    "Difference between the counts in memory and the rows; always 0.",
  );
  const used = gauge("berth_pool_manager_limit_used", "Units in use, for limits that have a record.", ["limit"]);
  const capacity = gauge("berth_pool_manager_limit_capacity", "Units there are, for limits that have a record.", [
    "limit",
  ]);
  const over = gauge("berth_pool_manager_limit_overcommit", "Units in use beyond the capacity.", ["limit"]);
  const revision = gauge("berth_pool_manager_revision", "Number of the latest commit.");
  const standing = gauge("berth_standing_bids", "Bids that stand.");
  const stopped = gauge("berth_granting_stopped", "1 while granting has stopped.");
  const overtaken = gauge("berth_overtaken_max", "Largest number of times that a standing bid has been overtaken.");
  exportEngine(registry, () => engine.engine.figures);
  const grants = new Counter({ name: "berth_grants_total", help: "Leases granted since the start.", registers });
  const releases = new Counter({
    name: "berth_releases_total",
    help: "Leases released since the start, by reason.",
    labelNames: ["reason"],
    registers,
  });
  // An alarm on their increase needs a base to start from.
  for (const reason of releaseReasons) releases.inc({ reason }, 0);
  engine.onCommit(({ changes }) => {
    for (const change of changes) {
      if (change.k !== "lease") continue;
      if (change.e === "GRANTED") grants.inc();
      else if (change.e === "RELEASED") releases.inc({ reason: change.l.reason ?? "COMPLETED" });
    }
  });

  const set = (status: Status): void => {
    started.set(status.started);
    for (const one of [leases, used, capacity, over]) one.reset();
    for (const pool of status.pools) leases.set({ pool: pool.name }, pool.running);
    for (const limit of status.limits) {
      // Tenants and runners come and go without a bound; a label for each of them would too.
      if (/^(runner|tenant):/.test(limit.name)) continue;
      used.set({ limit: limit.name }, limit.used);
      capacity.set({ limit: limit.name }, limit.capacity);
      over.set({ limit: limit.name }, overCommitted(limit.capacity, limit.used));
    }
    drift.set(status.drift);
    standing.set(status.standing);
    stopped.set(status.stopReason === "" ? 0 : 1);
    overtaken.set(status.overtakenMax);
  };
  return async () => {
    // Read under a commit where that is possible; a leader that can't commit still shows what it has.
    const status = await engine.read(statusOf).catch(() => statusOf(engine.core.state, now()));
    set(status);
    revision.set(engine.engine.n);
  };
}
