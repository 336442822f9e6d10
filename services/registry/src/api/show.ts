import { traceIdOf } from "@berth/chassis/telemetry";
import { registry, runner } from "@berth/contracts";
import type { NeedCondition, NeedConditions } from "../domain/needs.js";
import type { SetRecord } from "../domain/submission.js";
import {
  type Attempt,
  isFinal,
  type RunOutcome,
  type TaskEvent,
  type TaskHeader,
  type TaskSnapshot,
  taskStates,
} from "../domain/task.js";
import { duration, moment } from "./translate.js";

/** A task for the wire. `spec` is the whole specification, for a full view; undefined makes one without what it runs. */
export function showTask(
  { header, status, attempts, events }: TaskSnapshot,
  full: boolean,
  spec?: Uint8Array,
): registry.Task {
  const last = attempts.at(-1);
  const accepted = attempts.findLast((attempt) => attempt.lateAccepted);
  const result = (accepted?.lateOutcome ?? last?.outcome)?.resultJson ?? "";
  return {
    task: header.key,
    spec: spec && full ? registry.TaskSpec.decode(spec) : showHeader(header),
    state: registry.Task_State[status.state],
    attempt: status.attempt,
    failureCount: status.failureCount,
    stateReason: status.reason,
    createTime: moment(header.createMs),
    readyTime: moment(status.readyMs),
    startTime: moment(status.startMs),
    endTime: moment(status.endMs),
    attempts: full ? attempts.map(showAttempt) : [],
    events: full ? events.map(showEvent) : [],
    revision: BigInt(status.revision),
    resultJson: Buffer.from(result),
    progress: status.progress,
    progressMessage: status.progressMessage,
    runner: status.runner,
    pool: status.pool,
    slot: status.runner === "" ? "" : (last?.slot ?? ""),
    traceId: traceIdOf(header.traceParent),
  };
}

function showHeader(header: TaskHeader): registry.TaskSpec {
  const { retry } = header;
  return registry.TaskSpec.fromPartial({
    id: header.id,
    needs: [...header.needs],
    needConditions: showConditions(header.needConditions),
    pool: header.pool,
    skill: header.skill,
    labels: header.labels,
    priority: header.priority,
    tenant: header.tenant,
    cpuMillis: BigInt(header.cpuMillis),
    memoryBytes: BigInt(header.memoryBytes),
    limits: bigLimits(header.limits),
    retry: {
      maxAttempts: retry.maxAttempts,
      backoff: duration(retry.backoffMs),
      multiplier: retry.multiplier,
      maxBackoff: duration(retry.maxBackoffMs),
    },
    ...(header.startTimeoutMs > 0 ? { scheduleToStartTimeout: duration(header.startTimeoutMs) } : {}),
  });
}

const wireConditions = {
  succeeded: "NEED_CONDITION_SUCCEEDED",
  failed: "NEED_CONDITION_FAILED",
  ended: "NEED_CONDITION_ENDED",
} as const satisfies Record<NeedCondition, registry.TaskSpec_NeedCondition>;

function showConditions(conditions: NeedConditions): registry.TaskSpec["needConditions"] {
  return Object.fromEntries(Object.entries(conditions).map(([need, condition]) => [need, wireConditions[condition]]));
}

/** Limits with their weights as the wire has them. */
export function bigLimits(limits: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(limits).map(([limit, weight]) => [limit, BigInt(weight)]));
}

function showAttempt(attempt: Attempt): registry.Attempt {
  return {
    attempt: attempt.attempt,
    lease: attempt.lease,
    runner: attempt.runner,
    pool: attempt.pool,
    slot: attempt.slot,
    readyTime: moment(attempt.readyMs),
    grantTime: moment(attempt.grantMs),
    startTime: moment(attempt.startMs),
    endTime: moment(attempt.endMs),
    outcome: showOutcome(attempt.outcome),
    releaseReason: attempt.releaseReason,
    lateOutcome: showOutcome(attempt.lateOutcome),
  };
}

function showOutcome(outcome: RunOutcome | null): runner.Outcome | undefined {
  if (!outcome) return undefined;
  return {
    result: runner.Outcome_Result[outcome.result],
    exitCode: outcome.exitCode ?? undefined,
    signal: outcome.signal,
    message: outcome.message,
    resultJson: Buffer.from(outcome.resultJson),
    startTime: moment(outcome.startMs),
    endTime: moment(outcome.endMs),
    permanent: outcome.permanent,
    outputBytes: BigInt(outcome.outputBytes),
  };
}

function showEvent(event: TaskEvent): registry.TaskEvent {
  return {
    number: event.number,
    kind: event.kind,
    eventTime: moment(event.timeMs),
    attempt: event.attempt,
    runner: event.runner,
    slot: event.slot,
    duration: event.durationMs < 0 ? undefined : duration(event.durationMs),
    message: event.message,
  };
}

/** A set for the wire. */
export function showSet({ set, displayName, createMs, counts, endMs }: SetRecord): registry.TaskSet {
  const present = taskStates.filter((state) => (counts[state] ?? 0) > 0);
  const done = present.every(isFinal);
  return {
    set,
    displayName,
    createTime: moment(createMs),
    taskCounts: Object.fromEntries(present.map((state) => [state, BigInt(counts[state] ?? 0)])),
    taskCount: BigInt(present.reduce((sum, state) => sum + (counts[state] ?? 0), 0)),
    done,
    endTime: done ? moment(endMs) : undefined,
  };
}

/** A ready task for the scheduler. */
export function showReady({ header, status }: TaskSnapshot): registry.ReadyTask {
  return {
    task: header.key,
    attempt: status.attempt,
    pools: [...header.pools],
    labels: header.labels,
    limits: bigLimits(header.limits),
    tenant: header.tenant,
    priority: header.priority,
    sequence: BigInt(status.sequence),
    readyTime: moment(status.readyMs),
    cpuMillis: BigInt(header.cpuMillis),
    memoryBytes: BigInt(header.memoryBytes),
    traceParent: header.traceParent,
    assigned: status.state === "ASSIGNED",
    overtaken: BigInt(status.overtaken),
    handler: header.handler ?? "",
  };
}
