import type { Clock } from "@berth/chassis/clock";
import { exportEngine } from "@berth/chassis/http";
import { Counter, Gauge, Histogram, type Registry as Metrics } from "prom-client";
import { stateWord, taskStates } from "../domain/task.js";
import type { LeaseFollower } from "./follower.js";
import type { Logs } from "./logs.js";
import type { Registry } from "./registry.js";

const secondsBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 14_400];

/** Places where many items share a message. */
export type Hop = "submit" | "run" | "lease_event" | "output" | "update";

/** The registry's own metrics. */
export function exportFigures(
  metrics: Metrics,
  registry: Registry,
  follower: LeaseFollower,
  logs: Logs,
  clock: Clock,
): void {
  const registers = [metrics];
  const transitions = new Counter({
    name: "berth_task_transitions_total",
    help: "Changes of state of tasks, by the state after, in the words of docs/glossary.md.",
    labelNames: ["to"],
    registers,
  });
  // An alarm on their increase needs a base to start from.
  for (const to of taskStates) transitions.inc({ to }, 0);
  const runSeconds = new Histogram({
    name: "berth_task_run_seconds",
    help: "Time from start to end of a run.",
    buckets: secondsBuckets,
    registers,
  });
  const waitSeconds = new Histogram({
    name: "berth_task_wait_seconds",
    help: "Time from queued to start of an attempt.",
    buckets: secondsBuckets,
    registers,
  });
  registry.onCommit(({ changes }) => {
    for (const change of changes) {
      if (change.kind !== "task") continue;
      const { status, attempt, from } = change;
      if (from !== status.state) transitions.inc({ to: stateWord(status.state) });
      if (!attempt) continue;
      const kinds = new Set(change.events.map(({ kind }) => kind));
      if (kinds.has("RunnerStarted")) waitSeconds.observe(Math.max(0, attempt.startMs - attempt.readyMs) / 1_000);
      if (attempt.startMs > 0 && attempt.endMs > 0 && attempt.releaseReason !== "" && !kinds.has("LateResultKept"))
        runSeconds.observe(Math.max(0, attempt.endMs - attempt.startMs) / 1_000);
    }
  });
  new Gauge({
    name: "berth_tasks",
    help: "Live tasks by state, in the words of docs/glossary.md: queued, blocked, running ...",
    labelNames: ["state"],
    registers,
    collect() {
      this.reset();
      for (const state of taskStates.slice(0, 6)) this.set({ state: stateWord(state) }, 0);
      for (const { status } of registry.core.memory.tasks.values()) this.inc({ state: stateWord(status.state) });
    },
  });
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
    "berth_registry_cursor_lag_seconds",
    "Time since the lease events were last read to their end or a mark; grows while the pool-manager is away.",
    () => (follower.caughtUpMs === 0 ? 0 : Math.max(0, clock.wallMs() - follower.caughtUpMs) / 1_000),
  );
  gauge("berth_registry_watchers", "Watches that are open.", () => registry.feed.size);
  gauge(
    "berth_registry_forbids_waiting",
    "Attempts that wait to be forbidden.",
    () => registry.core.memory.forbids.size,
  );
  gauge("berth_registry_commands_queued", "Commands that wait to be decided.", () => registry.figures.queued);
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
  exportEngine(metrics, () => registry.figures);
  counter(
    "berth_registry_stale_output_total",
    "Pieces of output that arrived with a stale token or for no task.",
    () => logs.staleCount,
  );
}
