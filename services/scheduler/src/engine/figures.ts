import { itemsPerMessage, type NoteMessage } from "@berth/chassis/http";
import { Counter, Gauge, type Registry } from "prom-client";
import type { SchedulerCore } from "../domain/core.js";
import { queueNumbers } from "../domain/look.js";

/** Places where many items share a message; sum over count is the mean. */
export type Hop = "ready" | "bid" | "grant" | "work";

/** What the loop and the lines count. */
export interface Figures {
  /** Notes the items of one message. */
  readonly noteMessage: NoteMessage<Hop>;
  /** Notes a bid that was lost or wrong. */
  noteRefused(verdict: "lost" | "invalid"): void;
}

/** Registers the scheduler's metrics. Gauges are read from the core when they are asked for. */
export function schedulerFigures(registry: Registry, core: SchedulerCore, streams: () => number): Figures {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge(
    "berth_scheduler_queue_tasks",
    "Queued tasks: they could run, and wait for capacity.",
    () => queueNumbers(core).queueSize,
  );
  gauge(
    "berth_scheduler_wait_mean_seconds",
    "Mean time from ready to granted over the last 1,000 grants.",
    () => (core.waits.meanMs ?? 0) / 1_000,
  );
  gauge("berth_scheduler_bids_standing", "Bids that stand at the pool-manager.", () => core.windows.standingBids);
  gauge(
    "berth_scheduler_classes",
    "Classes (pools, limits, labels, tenant, resources) that have ready tasks.",
    () => core.windows.classes.size,
  );
  gauge("berth_scheduler_work_streams", "Work streams of runners that are open.", streams);
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  };
  counter("berth_scheduler_grants_total", "Grants handed out since the process started.", () => core.assignmentsTotal);
  counter(
    "berth_scheduler_grants_unclaimed_total",
    "Leases that arrived for tasks that are gone.",
    () => core.unclaimedTotal,
  );
  const refused = new Counter({
    name: "berth_scheduler_bids_refused_total",
    help: "Bids that were lost or wrong.",
    labelNames: ["verdict"],
    registers,
  });
  // An alarm on their increase needs a base to start from.
  for (const verdict of ["lost", "invalid"]) refused.inc({ verdict }, 0);
  return {
    noteMessage: itemsPerMessage<Hop>(registry),
    noteRefused: (verdict) => refused.inc({ verdict }),
  };
}
