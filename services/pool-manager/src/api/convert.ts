import { pool, runner as wire } from "@berth/contracts";
import type { Bid, Holder, Refusal } from "../domain/bid.js";
import type { Lease, Outcome, RunResult } from "../domain/lease.js";
import type { LeaseEvent } from "../engine/lease-events.js";

/** A moment for the wire. */
export function dateOf(wallMs: number | undefined): Date | undefined {
  return wallMs === undefined ? undefined : new Date(wallMs);
}

/** A duration for the wire. */
export function durationOf(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

/** A lease for the wire, without its secret. */
export function leaseToWire(lease: Lease): pool.Lease {
  return {
    lease: lease.id,
    task: lease.task,
    attempt: lease.attempt,
    token: BigInt(lease.token),
    state: pool.Lease_State[lease.state],
    pool: lease.pool,
    runner: lease.runner,
    incarnation: lease.incarnation,
    slot: lease.slot,
    tenant: lease.tenant,
    weights: lease.weights.map(([limit, weight]) => ({ limit, weight: BigInt(weight) })),
    grantTime: dateOf(lease.grantMs),
    startTime: dateOf(lease.startMs),
    releaseTime: dateOf(lease.releaseMs),
    reason: lease.reason ? pool.Lease_Reason[lease.reason] : pool.Lease_Reason.UNSPECIFIED,
    outcome: lease.outcome && outcomeToWire(lease.outcome),
    lateOutcome: lease.lateOutcome && outcomeToWire(lease.lateOutcome),
    revokeReason: lease.revokeReason,
    traceParent: lease.traceParent,
    overtaken: BigInt(lease.overtaken ?? 0),
    secret: Buffer.alloc(0),
  };
}

/** An outcome for the wire. */
export function outcomeToWire(outcome: Outcome): wire.Outcome {
  const { result, exitCode, signal, message, resultJson, startMs, endMs, permanent, outputBytes } = outcome;
  return {
    result: wire.Outcome_Result[result],
    exitCode,
    signal,
    message,
    resultJson: Buffer.from(resultJson),
    startTime: dateOf(startMs),
    endTime: dateOf(endMs),
    permanent,
    outputBytes: BigInt(outputBytes),
  };
}

const results = new Map<string, RunResult>(
  (["SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "NOT_STARTED"] as const).map((result) => [
    wire.Outcome_Result[result],
    result,
  ]),
);

/** An outcome from the wire; a result that this version doesn't know counts as a failure. */
export function outcomeFromWire(outcome: wire.Outcome): Outcome {
  const { exitCode, signal, message, resultJson, startTime, endTime, permanent, outputBytes } = outcome;
  return {
    result: results.get(outcome.result) ?? "FAILED",
    ...(exitCode !== undefined && { exitCode }),
    signal,
    message,
    resultJson: Buffer.from(resultJson).toString("utf8"),
    ...(startTime && { startMs: startTime.getTime() }),
    ...(endTime && { endMs: endTime.getTime() }),
    permanent,
    outputBytes: Number(outputBytes),
  };
}

/** A bid from the wire, already checked. */
export function bidFromWire(bid: pool.Bid): Bid {
  return {
    task: bid.task,
    attempt: bid.attempt,
    pools: bid.pools,
    labels: bid.labels,
    weights: bid.weights.map(({ limit, weight }) => [limit, Number(weight)]),
    tenant: bid.tenant,
    rank: Number(bid.rank),
    cpuMillis: Number(bid.cpuMillis),
    memoryBytes: Number(bid.memoryBytes),
    runner: bid.runner,
    priority: bid.priority,
    readyMs: bid.readyTime?.getTime() ?? 0,
    traceParent: bid.traceParent,
    overtaken: Number(bid.overtaken),
    handler: bid.handler,
  };
}

/** A holder for the wire. */
export function holderToWire({ lease, task, runner, weight, grantMs }: Holder): pool.Holder {
  return { lease, task, runner, weight: BigInt(weight), grantTime: dateOf(grantMs) };
}

/** A refusal for the wire. */
export function refusalToWire(refusal: Refusal): pool.Refusal {
  const { reason, limit, pool: name, wanted, used, capacity, holders, handler, attached } = refusal;
  return {
    reason: pool.Refusal_Reason[reason],
    limit,
    pool: name,
    wanted: BigInt(Number.isSafeInteger(wanted) ? wanted : 0),
    used: BigInt(used),
    capacity: BigInt(capacity),
    holders: holders.map(holderToWire),
    handler,
    attached: attached.map(({ handlers, ...rest }) => ({ ...rest, handlers: [...handlers] })),
  };
}

/** A lease event for the wire. */
export function eventToWire({ position, kind, lease, wallMs }: LeaseEvent): pool.LeaseEvent {
  return {
    position: BigInt(position),
    kind: pool.LeaseEvent_Kind[kind],
    lease: leaseToWire(lease),
    eventTime: new Date(wallMs),
  };
}
