import { type BerthClient, finalStates } from "@berth/client";
import type { registry } from "@berth/contracts";
import type { Handler } from "@berth/runner";
import type { AtRest } from "./at-rest.js";
import { startClusterSystem } from "./cluster.js";
import { cpuMicros, residentBytes } from "./cpu.js";
import { type Commits, commitsBetween, type Hop, hopsBetween, readPages } from "./hops.js";
import { watchLimits } from "./limits.js";
import { RunRecord } from "./record.js";
import { type Outside, startSystem } from "./system.js";
import { capacitiesOf, limitsOf, type Shape, tasksOf } from "./workload.js";

/** What a drain showed. */
export interface Drained {
  /** What isn't as it must be; empty if every task ran once and succeeded and every limit held. */
  readonly faults: readonly string[];
  readonly submitMs: number;
  readonly drainMs: number;
  /** Processor time during the drain by part, microseconds; `bench` is the runner with the workload, and the bench itself. */
  readonly cpu: ReadonlyMap<string, number>;
  /** Memory by part when the last task had ended, bytes. */
  readonly memory: ReadonlyMap<string, number>;
  /** What others than Berth counted from the submission on: rows of PostgreSQL by table, messages on NATS. Only of a cluster. */
  readonly outside: Outside | undefined;
  readonly hops: readonly Hop[];
  readonly submitCommits: readonly Commits[];
  readonly drainCommits: readonly Commits[];
  readonly spool: { readonly outcomes: number; readonly fsyncs: number };
  /** Looks at the pool-manager's counts during the drain, and the largest sum that it and the workload saw under the limit global. */
  readonly limits: { readonly looks: number; readonly mostCounted: number; readonly mostRunning: number };
}

/** No task for so long means that the drain has stuck. */
const stuckAfterMs = 60_000;

/**
 * Drains no-op tasks through the SDK with limits on: preloads them into a paused pool, lets it go, and waits for the last, by a watch
 * as `berth run` has one.
 */
export async function drain(shape: Shape, form: "standalone" | "cluster" = "standalone"): Promise<Drained> {
  const record = new RunRecord();
  const capacities = capacitiesOf(shape);
  const declared = [...capacities].filter(([limit]) => !/^(pool|runner):/.test(limit));
  const handler: Handler = async ({ task }) => {
    const limits = limitsOf(Number(task.slice(task.indexOf("/") + 1)), shape);
    record.begin(task, limits);
    // A turn of the event loop, so that runs that are there together are seen together.
    await new Promise((resolve) => setImmediate(resolve));
    record.end(limits);
  };
  const limits = Object.fromEntries(declared);
  const system =
    form === "cluster"
      ? await startClusterSystem(shape.slots, limits, handler)
      : await startSystem(shape.slots, { limits }, handler);
  const { berth, runner } = system;
  let stopped: Promise<AtRest> | undefined;
  const pause = (paused: boolean) =>
    berth.client.pools.updatePool({ pool: { pool: "bench", paused }, updateMask: ["paused"] });
  try {
    await pause(true);
    const empty = await readPages(berth);
    const outsideBefore = await system.outside?.();
    const tasks = tasksOf(shape);
    const submitBeganMs = performance.now();
    const { set } = await berth.client.submit(tasks);
    const submitMs = performance.now() - submitBeganMs;

    const loaded = await readPages(berth);
    const watching = watchLimits(berth);
    const before = new Map(
      Object.values(system.processes()).flatMap((pids) => pids.map((pid) => [pid, cpuMicros([pid])])),
    );
    const beganMs = performance.now();
    const waiting = waitForSet(berth.client, set, shape.tasks);
    await pause(false);
    const told = await waiting;
    const drainMs = performance.now() - beganMs;
    const parts = Object.entries(system.processes());
    const sum = (pids: readonly number[], of: (pid: number) => number) =>
      pids.reduce((total, pid) => total + of(pid), 0);
    const cpu = new Map(
      parts.map(([part, pids]) => [part, sum(pids, (pid) => cpuMicros([pid]) - (before.get(pid) ?? 0))]),
    );
    const memory = new Map(parts.map(([part, pids]) => [part, sum(pids, residentBytes)]));
    const watched = await watching.end();
    const { taskSet: done } = await berth.client.registry.getTaskSet({ set });
    const drained = await readPages(berth);

    const wanted = new Set(tasks.map(({ id }) => `${set}/${id}`));
    const { outcomes, spoolGroups } = runner.figures;
    const outside = outsideBefore && grownOutside(outsideBefore, await system.outside?.());
    stopped = system.stop();
    const atRest = await stopped;
    const faults = [
      ...Object.entries(record.compare(wanted))
        .filter(([, count]) => count > 0)
        .map(([what, count]) => `${what}: ${count} tasks`),
      ...(done?.taskCounts.SUCCEEDED === BigInt(shape.tasks) ? [] : [`states ${JSON.stringify(states(done))}`]),
      ...(told === shape.tasks ? [] : [`the watch told of ${told} final tasks, then of none for ${stuckAfterMs} ms`]),
      ...record.exceeded(capacities).map((limit) => `more ran under ${limit} than it allows`),
      ...watched.faults,
      ...faultsAtRest(atRest, shape.tasks),
    ];
    return {
      faults,
      submitMs,
      drainMs,
      cpu,
      memory,
      outside,
      hops: [...hopsBetween(empty, loaded), ...hopsBetween(loaded, drained)],
      submitCommits: commitsBetween(empty, loaded),
      drainCommits: commitsBetween(loaded, drained),
      spool: { outcomes, fsyncs: spoolGroups },
      limits: {
        looks: watched.looks,
        mostCounted: watched.most.get("global") ?? 0,
        mostRunning: record.most.get("global") ?? 0,
      },
    };
  } finally {
    await (stopped ?? system.stop());
  }
}

function grownOutside(before: Outside, after: Outside | undefined): Outside | undefined {
  if (!after) return undefined;
  const rows = [...after.rows].map(([table, count]) => [table, count - (before.rows.get(table) ?? 0)] as const);
  return { rows: new Map(rows), busMessages: after.busMessages - before.busMessages };
}

/** What the files must hold in the end, counted by SQL: one row a task, and one finished lease. */
function faultsAtRest(atRest: AtRest | undefined, tasks: number): string[] {
  const wanted: AtRest = { tasks, succeeded: tasks, attemptedOnce: tasks, leases: tasks, completed: tasks };
  return Object.entries(wanted)
    .filter(([name, count]) => atRest?.[name as keyof AtRest] !== count)
    .map(([name, count]) => `at rest: ${name} ${atRest?.[name as keyof AtRest]}, not ${count}`);
}

/** Waits for the end of a set as a client does: by a watch, which costs no questions. Returns how many tasks it told of as final. */
async function waitForSet(client: BerthClient, set: string, tasks: number): Promise<number> {
  const stuck = new AbortController();
  const final = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  for await (const { task, state } of client.watch(set, { signal: stuck.signal })) {
    timer ??= setTimeout(() => stuck.abort(), stuckAfterMs);
    if (!finalStates.has(state)) continue;
    final.add(task);
    timer.refresh();
    if (final.size === tasks) break;
  }
  clearTimeout(timer);
  return final.size;
}

function states(set: registry.TaskSet | undefined): { [state: string]: number } {
  return Object.fromEntries(Object.entries(set?.taskCounts ?? {}).map(([state, count]) => [state, Number(count)]));
}
