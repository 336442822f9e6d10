import { pool, type registry, type scheduler } from "@berth/contracts";
import type { BidResult } from "../domain/command.js";
import type { Entry } from "../domain/entry.js";
import type { RefusalFacts } from "../domain/explain.js";
import type { Grant, ReadyTask } from "../domain/task.js";
import type { Bid } from "../domain/windows.js";

/** A ready task as the registry sends it. */
export function readyTask(wire: registry.ReadyTask): ReadyTask {
  const { task, attempt, pools, labels, tenant, priority, traceParent, handler, assigned } = wire;
  const limits: Record<string, number> = {};
  for (const [name, weight] of Object.entries(wire.limits)) limits[name] = Number(weight);
  const [sequence, cpuMillis, memoryBytes] = [Number(wire.sequence), Number(wire.cpuMillis), Number(wire.memoryBytes)];
  const readyWallMs = wire.readyTime?.getTime() ?? 0;
  return {
    task,
    attempt,
    pools,
    labels,
    limits,
    tenant,
    priority,
    sequence,
    readyWallMs,
    cpuMillis,
    memoryBytes,
    traceParent,
    handler,
    assigned,
    overtaken: Number(wire.overtaken),
  };
}

/** A bid as the pool-manager takes it, under the span given. */
export function wireBid({ task, rank }: Bid, traceParent = task.traceParent): pool.Bid {
  return {
    task: task.task,
    attempt: task.attempt,
    pools: [...task.pools],
    labels: { ...task.labels },
    weights: Object.entries(task.limits).map(([limit, weight]) => ({ limit, weight: BigInt(weight) })),
    tenant: task.tenant,
    rank: BigInt(rank),
    cpuMillis: BigInt(task.cpuMillis),
    memoryBytes: BigInt(task.memoryBytes),
    runner: "",
    priority: task.priority,
    readyTime: new Date(task.readyWallMs),
    traceParent,
    overtaken: BigInt(task.overtaken),
    handler: task.handler,
  };
}

/** What became of a bid; undefined for a verdict that doesn't come on this stream, or that this version doesn't know. */
export function bidResult({ task, attempt, verdict, lease, message }: pool.BidResult): BidResult | undefined {
  switch (verdict) {
    case pool.BidResult_Verdict.GRANTED:
      return lease ? { task, attempt, verdict: "granted", grant: grantOf(lease) } : undefined;
    case pool.BidResult_Verdict.WITHDRAWN:
      return { task, attempt, verdict: "withdrawn" };
    case pool.BidResult_Verdict.LOST:
      return { task, attempt, verdict: "lost", message };
    case pool.BidResult_Verdict.INVALID:
      return { task, attempt, verdict: "invalid", message };
    default:
      return undefined;
  }
}

function grantOf(wire: pool.Lease): Grant {
  const { lease, token, pool: poolName, runner, incarnation, slot, state, traceParent, secret } = wire;
  const active = state === pool.Lease_State.ACTIVE;
  return { lease, token, pool: poolName, runner, incarnation, slot, active, traceParent, secret };
}

/** A refusal in the words of the domain. */
export function refusalFacts({
  reason,
  limit,
  pool: poolName,
  wanted,
  used,
  capacity,
  holders,
  handler,
  attached,
}: pool.Refusal): RefusalFacts {
  return {
    reason: reason.replace(/^REASON_/, ""),
    limit,
    pool: poolName,
    wanted: Number(wanted),
    used: Number(used),
    capacity: Number(capacity),
    holders: holders.map((holder) => holder.task),
    handler,
    attached,
  };
}

/** A queued task for people. */
export function queuedTask({ task, phase }: Entry): scheduler.QueuedTask {
  return {
    task: task.task,
    attempt: task.attempt,
    priority: task.priority,
    pools: [...task.pools],
    readyTime: new Date(task.readyWallMs),
    bidStanding: phase === "standing",
    tenant: task.tenant,
  };
}

/** Milliseconds as a duration. */
export function duration(ms: number): { seconds: bigint; nanos: number } {
  const whole = Math.floor(ms / 1_000);
  return { seconds: BigInt(whole), nanos: Math.round((ms - whole * 1_000) * 1e6) };
}
