import type { TraceContext } from "@berth/chassis/telemetry";
import { pool, registry, runner } from "@berth/contracts";
import type { Catalogue } from "../domain/catalogue.js";
import type { Filter } from "../domain/commands.js";
import type { LeaseEvent } from "../domain/lease-event.js";
import { mustSucceed, type NeedCondition } from "../domain/needs.js";
import { limitName, setLimitBounds } from "../domain/set-limits.js";
import type { RunInput, SetLimit, TaskInput } from "../domain/submission.js";
import type { ReleaseReason, RunOutcome } from "../domain/task.js";

type Duration = { readonly seconds: bigint; readonly nanos: number };

/** Milliseconds of a duration; undefined where it isn't set. Huge ones stay huge: the domain checks bounds. */
export function durationMs(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
}

/** A duration of so many milliseconds. */
export function duration(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1_000_000) };
}

/** A moment; undefined for 0. */
export function moment(ms: number): Date | undefined {
  return ms > 0 ? new Date(ms) : undefined;
}

const conditions: Readonly<Partial<Record<registry.TaskSpec_NeedCondition, NeedCondition>>> = {
  NEED_CONDITION_UNSPECIFIED: "succeeded",
  NEED_CONDITION_SUCCEEDED: "succeeded",
  NEED_CONDITION_FAILED: "failed",
  NEED_CONDITION_ENDED: "ended",
};

/** A limit of a set as it was declared. */
export function setLimitInput(limit: registry.SetLimit): SetLimit {
  return {
    name: limit.limit,
    capacity: Number(limit.capacity),
    reserve: Number(limit.reserve),
    reservePriority: limit.reservePriority,
    rate: Number(limit.rate),
    ratePeriodMs: durationMs(limit.ratePeriod) ?? (limit.rate === 0n ? setLimitBounds.ratePeriodMinMs : 0),
  };
}

/** A limit of a set as the pool-manager takes it. */
export function setLimit(set: string, limit: SetLimit): pool.Limit {
  const { name, capacity, reserve, reservePriority, rate, ratePeriodMs } = limit;
  return pool.Limit.fromPartial({
    limit: limitName(set, name),
    ownerSet: set,
    capacity: BigInt(capacity),
    reserve: BigInt(reserve),
    reservePriority,
    rate: BigInt(rate),
    ...(rate > 0 && { ratePeriod: duration(ratePeriodMs) }),
    reason: `declared for set ${set}`,
  });
}

/** A specification as the domain checks it. What the client's trace carries is kept with what it runs, and is never taken from the specification itself. */
export function taskInput(
  spec: registry.TaskSpec,
  { traceState, baggage }: Pick<TraceContext, "traceState" | "baggage">,
): TaskInput {
  const { retry } = spec;
  return {
    id: spec.id,
    needs: spec.needs,
    needConditions: needConditions(spec.needConditions),
    pool: spec.pool,
    skill: spec.skill,
    labels: spec.labels,
    priority: spec.priority,
    tenant: spec.tenant,
    cpuMillis: Number(spec.cpuMillis),
    memoryBytes: Number(spec.memoryBytes),
    limits: Object.fromEntries(Object.entries(spec.limits).map(([limit, weight]) => [limit, Number(weight)])),
    retry: {
      maxAttempts: retry?.maxAttempts ?? 0,
      backoffMs: durationMs(retry?.backoff),
      multiplier: retry?.multiplier ?? 0,
      maxBackoffMs: durationMs(retry?.maxBackoff),
    },
    startTimeoutMs: durationMs(spec.scheduleToStartTimeout),
    run: spec.run && runInput(spec.run),
    spec: registry.TaskSpec.encode({ ...spec, run: spec.run && { ...spec.run, traceState, baggage } }).finish(),
  };
}

function needConditions(sent: registry.TaskSpec["needConditions"]): TaskInput["needConditions"] {
  const pairs = Object.entries(sent);
  return pairs.length === 0
    ? mustSucceed
    : Object.fromEntries(pairs.map(([need, condition]) => [need, conditions[condition] ?? "unknown"]));
}

function runInput(run: runner.Run): RunInput {
  const command = run.kind?.$case === "command" ? run.kind.value : undefined;
  const handler = run.kind?.$case === "handler" ? run.kind.value : undefined;
  return {
    kind: run.kind?.$case ?? "none",
    argv: command?.argv ?? [],
    shell: command?.shell ?? "",
    handler: handler?.name ?? "",
    payload: handler ? Buffer.from(handler.payloadJson).toString("utf8") : "",
    payloadBytes: handler?.payloadJson.length ?? 0,
    env: run.env,
    secrets: run.secrets,
    cwd: run.cwd,
    stdinBytes: run.stdin.length,
    startToCloseMs: durationMs(run.startToCloseTimeout),
    heartbeatMs: durationMs(run.heartbeatTimeout),
    killGraceMs: durationMs(run.killGrace),
    logLimitBytes: Number(run.logLimitBytes),
  };
}

/** A filter as the domain has it. */
export function filterOf(filter: registry.TaskFilter | undefined): Filter {
  return {
    set: filter?.set ?? "",
    states: (filter?.states ?? []).map((state) => state.replace("STATE_", "") as Filter["states"][number]),
    pool: filter?.pool ?? "",
    tenant: filter?.tenant ?? "",
    keys: filter?.tasks ?? [],
    ids: filter?.ids ?? [],
    labels: filter?.labels ?? {},
  };
}

/** How a run ended. */
export function runOutcome(outcome: runner.Outcome | undefined): RunOutcome | null {
  if (!outcome) return null;
  const results: Record<string, RunOutcome["result"]> = {
    [runner.Outcome_Result.SUCCEEDED]: "SUCCEEDED",
    [runner.Outcome_Result.TIMED_OUT]: "TIMED_OUT",
    [runner.Outcome_Result.STOPPED]: "STOPPED",
    [runner.Outcome_Result.NOT_STARTED]: "NOT_STARTED",
  };
  return {
    // A result that this version doesn't know is no success.
    result: results[outcome.result] ?? "FAILED",
    exitCode: outcome.exitCode ?? null,
    signal: outcome.signal,
    message: outcome.message,
    resultJson: Buffer.from(outcome.resultJson).toString("utf8"),
    startMs: outcome.startTime?.getTime() ?? 0,
    endMs: outcome.endTime?.getTime() ?? 0,
    permanent: outcome.permanent,
    outputBytes: Number(outcome.outputBytes),
  };
}

const kinds: Record<string, LeaseEvent["kind"]> = {
  [pool.LeaseEvent_Kind.GRANTED]: "granted",
  [pool.LeaseEvent_Kind.STARTED]: "started",
  [pool.LeaseEvent_Kind.REVOKING]: "revoking",
  [pool.LeaseEvent_Kind.EXPIRED]: "expired",
  [pool.LeaseEvent_Kind.RELEASED]: "released",
  [pool.LeaseEvent_Kind.LATE_RESULT]: "late_result",
};

const reasons: Record<string, ReleaseReason> = {
  [pool.Lease_Reason.COMPLETED]: "completed",
  [pool.Lease_Reason.NOT_STARTED]: "not_started",
  [pool.Lease_Reason.EXPIRED]: "expired",
  [pool.Lease_Reason.RUNNER_LOST]: "runner_lost",
  [pool.Lease_Reason.REVOKED]: "revoked",
};

/** A lease event; undefined for one of a kind that this version doesn't know, which is passed over. */
export function leaseEvent(event: pool.LeaseEvent): LeaseEvent | undefined {
  const kind = kinds[event.kind];
  if (!kind || !event.lease) return undefined;
  return leaseState(event.lease, kind, Number(event.position), event.eventTime?.getTime() ?? 0);
}

/** A lease as it stands, as if an event had said so. */
export function leaseState(lease: pool.Lease, kind: LeaseEvent["kind"], position: number, timeMs: number): LeaseEvent {
  return {
    position,
    kind,
    key: lease.task,
    attempt: lease.attempt,
    lease: lease.lease,
    token: Number(lease.token),
    runner: lease.runner,
    pool: lease.pool,
    slot: lease.slot,
    timeMs,
    grantMs: lease.grantTime?.getTime() ?? 0,
    startMs: lease.startTime?.getTime() ?? 0,
    reason: reasons[lease.reason] ?? "",
    outcome: runOutcome(lease.outcome),
    lateOutcome: runOutcome(lease.lateOutcome),
    revokeReason: lease.revokeReason,
    overtaken: Number(lease.overtaken),
    traceParent: lease.traceParent,
  };
}

/** The catalogue. A limit whose capacity will go back by itself counts with the larger of the two. */
export function catalogueOf(response: pool.WatchCatalogueResponse): Catalogue {
  return {
    version: Number(response.version),
    pools: response.pools.map(({ pool: name, skills, cpuMillis, memoryBytes }) => ({
      pool: name,
      skills,
      cpuMillis: Number(cpuMillis),
      memoryBytes: Number(memoryBytes),
    })),
    limits: Object.fromEntries(
      response.limits.map(({ limit, capacity, revertCapacity }) => [
        limit,
        Math.max(Number(capacity), Number(revertCapacity ?? 0n)),
      ]),
    ),
  };
}
