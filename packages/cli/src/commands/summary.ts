// What a set looked like under its limits, from the leases it held: the pool-manager's own record, not what was seen on the way.
import type { BerthClient } from "@berth/client";
import { formatDuration } from "@berth/client/quantities";
import { type pool, registry } from "@berth/contracts";
import { hint } from "../hints.js";
import { type Io, paint, say, table } from "../io.js";
import { wireTask } from "../wire.js";

/** When a lease held how much of a limit. */
export interface Holding {
  readonly fromMs: number;
  /** Infinity while it holds. */
  readonly toMs: number;
  readonly weight: number;
}

/** The most that was held at once. What is released at a moment is free for what is granted at the same. */
export function peakOf(holdings: readonly Holding[]): number {
  const edges = holdings.flatMap((each) => [
    { at: each.fromMs, change: each.weight },
    { at: each.toMs, change: -each.weight },
  ]);
  edges.sort((left, right) => left.at - right.at || left.change - right.change);
  let held = 0;
  let peak = 0;
  for (const edge of edges) {
    held += edge.change;
    peak = Math.max(peak, held);
  }
  return peak;
}

/** Prints, for every limit that the set touched, the peak against the capacity; and waits and retries for each pool. */
export async function showSummary(client: BerthClient, set: string, io: Io): Promise<void> {
  const tasks: registry.Task[] = [];
  for await (const task of client.tasks(set, { view: registry.View.FULL, pageSize: 200 })) tasks.push(wireTask(task));
  const fromTime = tasks
    .map((task) => task.createTime?.getTime() ?? 0)
    .reduce((least, time) => Math.min(least, time), Number.MAX_SAFE_INTEGER);
  const leases: pool.Lease[] = [];
  let pageToken = "";
  do {
    const page = await client.pools.listAssignments({ fromTime: new Date(fromTime), pageSize: 1_000, pageToken });
    leases.push(...page.leases);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const { limits } = await client.pools.getStatus({});
  const held = holdingsByLimit(leases);
  const shown = limits.filter((limit) => !limit.limit.startsWith("runner:") && held.has(limit.limit));
  say(io);
  table(
    io,
    [
      { title: "LIMIT" },
      { title: "PEAK", right: true },
      { title: "OF", right: true },
      { title: "TASKS", right: true },
      { title: "MEAN WAIT", right: true },
      { title: "LONGEST", right: true },
      { title: "RETRIES", right: true },
    ],
    shown.map((limit) => {
      const peak = peakOf(held.get(limit.limit) ?? []);
      const mine = tasks.filter((task) => inLimit(task, limit.limit));
      const waits = mine.flatMap((task) => task.attempts).flatMap(waitOf);
      const retries = mine.reduce((sum, task) => sum + Math.max(0, task.attempts.length - 1), 0);
      const mean = waits.reduce((sum, wait) => sum + wait, 0) / Math.max(1, waits.length);
      const amount = peak > Number(limit.capacity) ? paint(io, "red", String(peak)) : String(peak);
      return [
        limit.limit,
        amount,
        String(limit.capacity),
        String(mine.length),
        formatDuration(mean),
        formatDuration(Math.max(0, ...waits)),
        String(retries),
      ];
    }),
  );
  for (const task of tasks.filter((each) => each.attempts.length > 1).slice(0, 5))
    say(io, `${task.task} needed ${task.attempts.length} attempts; see: ${hint(io, `task ${task.task}`)}`);
  say(io);
}

function holdingsByLimit(leases: readonly pool.Lease[]): Map<string, Holding[]> {
  const held = new Map<string, Holding[]>();
  for (const lease of leases)
    for (const { limit, weight } of lease.weights) {
      const list = held.get(limit) ?? [];
      list.push({
        fromMs: lease.grantTime?.getTime() ?? 0,
        toMs: lease.releaseTime?.getTime() ?? Number.POSITIVE_INFINITY,
        weight: Number(weight),
      });
      held.set(limit, list);
    }
  return held;
}

function inLimit(task: registry.Task, limit: string): boolean {
  if (limit === "global") return true;
  if (limit.startsWith("pool:")) return limit === `pool:${task.pool}`;
  return limit === `tenant:${task.spec?.tenant}` || task.spec?.limits[limit] !== undefined;
}

function waitOf(attempt: registry.Attempt): number[] {
  return attempt.readyTime === undefined || attempt.grantTime === undefined
    ? []
    : [attempt.grantTime.getTime() - attempt.readyTime.getTime()];
}
