import { mustSucceed } from "../domain/needs.js";
import type { SetLimit } from "../domain/submission.js";
import type { Attempt, Forbid, RunOutcome, TaskEvent, TaskHeader, TaskSnapshot, TaskStatus } from "../domain/task.js";

/**
 * How tasks are written down: as arrays without names, because names were two thirds of a row, and the size of rows is most of what a task costs
 * at rest. A field is only ever added at the end; what an older row lacks takes the value that the decoder states.
 */
type StatusText = readonly [
  state: TaskStatus["state"],
  attempt: number,
  failureCount: number,
  lossCount: number,
  idleCount: number,
  reason: string,
  readyMs: number,
  startMs: number,
  endMs: number,
  revision: number,
  sequence: number,
  progress: number,
  progressMessage: string,
  runner: string,
  pool: string,
  eventCount: number,
  forbid: Forbid | 0,
  overtaken?: number,
];
type OutcomeText = readonly [
  result: RunOutcome["result"],
  exitCode: number | null,
  signal: string,
  message: string,
  resultJson: string,
  startMs: number,
  endMs: number,
  permanent: 0 | 1,
  outputBytes: number,
];
type AttemptText = readonly [
  attempt: number,
  lease: string,
  token: number,
  runner: string,
  pool: string,
  slot: string,
  readyMs: number,
  grantMs: number,
  startMs: number,
  endMs: number,
  outcome: OutcomeText | 0,
  releaseReason: Attempt["releaseReason"],
  lateOutcome: OutcomeText | 0,
  lateAccepted: 0 | 1,
];
type EventText = readonly [
  number: number,
  kind: TaskEvent["kind"],
  timeMs: number,
  attempt: number,
  runner: string,
  slot: string,
  durationMs: number,
  message: string,
];
/** What of a task changes. */
type BodyText = readonly [StatusText, readonly AttemptText[], readonly EventText[]];
/** One change in the journal. */
export type ChangeText = readonly [key: string, StatusText, AttemptText | 0, readonly EventText[]];

/** What of a task never changes and has no column of its own. */
export function encodeHeader(header: TaskHeader): string {
  const { key: _key, set: _set, id: _id, order: _order, tenant: _tenant, needConditions, ...rest } = header;
  // Nearly every task has none.
  const conditions = Object.keys(needConditions).length === 0 ? {} : { needConditions };
  return JSON.stringify({ ...rest, ...conditions });
}

/** What of a task changes. */
export function encodeBody({ status, attempts, events }: TaskSnapshot): string {
  return JSON.stringify([statusText(status), attempts.map(attemptText), events.map(eventText)] satisfies BodyText);
}

/** A task from its columns. */
export function decodeTask(columns: {
  readonly ord: number;
  readonly key: string;
  readonly tenant: string;
  readonly header: string;
  readonly body: string;
}): TaskSnapshot {
  const { ord: order, key, tenant } = columns;
  const slash = key.indexOf("/");
  const names = { key, set: key.slice(0, slash), id: key.slice(slash + 1), order, tenant };
  const [status, attempts, events] = JSON.parse(columns.body) as BodyText;
  return {
    header: { needConditions: mustSucceed, ...names, ...JSON.parse(columns.header) },
    status: statusOf(status),
    attempts: attempts.map(attemptOf),
    events: events.map(eventOf),
  };
}

/** One change, for the journal. */
export function changeText(
  key: string,
  status: TaskStatus,
  attempt: Attempt | null,
  events: readonly TaskEvent[],
): ChangeText {
  return [key, statusText(status), attempt ? attemptText(attempt) : 0, events.map(eventText)];
}

/** The reverse. */
export function changeOf([key, status, attempt, events]: ChangeText): {
  key: string;
  status: TaskStatus;
  attempt: Attempt | null;
  events: TaskEvent[];
} {
  return {
    key,
    status: statusOf(status),
    attempt: attempt === 0 ? null : attemptOf(attempt),
    events: events.map(eventOf),
  };
}

function statusText(s: TaskStatus): StatusText {
  return [
    s.state,
    s.attempt,
    s.failureCount,
    s.lossCount,
    s.idleCount,
    s.reason,
    s.readyMs,
    s.startMs,
    s.endMs,
    s.revision,
    s.sequence,
    s.progress,
    s.progressMessage,
    s.runner,
    s.pool,
    s.eventCount,
    s.forbid ?? 0,
    s.overtaken,
  ];
}

function statusOf(text: StatusText): TaskStatus {
  const [state, attempt, failureCount, lossCount, idleCount, reason, readyMs, startMs, endMs, revision, ...more] = text;
  const [sequence, progress, progressMessage, runner, pool, eventCount, forbid, overtaken = 0] = more;
  const counts = { state, attempt, failureCount, lossCount, idleCount, reason, readyMs, startMs, endMs, revision };
  return {
    ...counts,
    sequence,
    overtaken,
    progress,
    progressMessage,
    runner,
    pool,
    eventCount,
    forbid: forbid === 0 ? null : forbid,
  };
}

function attemptText(a: Attempt): AttemptText {
  return [
    a.attempt,
    a.lease,
    a.token,
    a.runner,
    a.pool,
    a.slot,
    a.readyMs,
    a.grantMs,
    a.startMs,
    a.endMs,
    outcomeText(a.outcome),
    a.releaseReason,
    outcomeText(a.lateOutcome),
    a.lateAccepted ? 1 : 0,
  ];
}

function attemptOf(text: AttemptText): Attempt {
  const [attempt, lease, token, runner, pool, slot, readyMs, grantMs, startMs, endMs, ...more] = text;
  const [outcome, releaseReason, lateOutcome, lateAccepted] = more;
  return {
    attempt,
    lease,
    token,
    runner,
    pool,
    slot,
    readyMs,
    grantMs,
    startMs,
    endMs,
    outcome: outcomeOf(outcome),
    releaseReason,
    lateOutcome: outcomeOf(lateOutcome),
    lateAccepted: lateAccepted === 1,
  };
}

function outcomeText(o: RunOutcome | null): OutcomeText | 0 {
  if (!o) return 0;
  const permanent = o.permanent ? 1 : 0;
  return [o.result, o.exitCode, o.signal, o.message, o.resultJson, o.startMs, o.endMs, permanent, o.outputBytes];
}

function outcomeOf(text: OutcomeText | 0): RunOutcome | null {
  if (text === 0) return null;
  const [result, exitCode, signal, message, resultJson, startMs, endMs, permanent, outputBytes] = text;
  return { result, exitCode, signal, message, resultJson, startMs, endMs, permanent: permanent === 1, outputBytes };
}

function eventText(e: TaskEvent): EventText {
  return [e.number, e.kind, e.timeMs, e.attempt, e.runner, e.slot, e.durationMs, e.message];
}

function eventOf([number, kind, timeMs, attempt, runner, slot, durationMs, message]: EventText): TaskEvent {
  return { number, kind, timeMs, attempt, runner, slot, durationMs, message };
}

/** Limits of a set's own as a column has them; empty for none. */
export function encodeLimits(limits: readonly SetLimit[] = []): string {
  return limits.length === 0 ? "" : JSON.stringify(limits);
}

/** The opposite of {@link encodeLimits}, as a part of a record. */
export function decodeLimits(text: string): { readonly limits?: readonly SetLimit[] } {
  return text === "" ? {} : { limits: JSON.parse(text) as SetLimit[] };
}
