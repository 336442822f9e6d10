import { resolvePools } from "./check-spec.js";
import { checkSubmission } from "./check-submission.js";
import type { Commands, Invalid, Refused, Submitted } from "./commands.js";
import { LiveTask } from "./memory.js";
import { conditionOf, meets, type NeedConditions } from "./needs.js";
import { checkAgainstSet, declaredBy, merged, occupied } from "./set-limits.js";
import type { RequestRecord, SetLimit, SetRecord, Submission, SubmitFacts, TaskInput } from "./submission.js";
import { isFinal, type Retry, type TaskHeader, type TaskState, type TaskStatus, taskKey } from "./task.js";
import { skippedFor, type Transition } from "./transition.js";
import type { Violations } from "./violations.js";

/** How long a request id is remembered. */
export const requestMemoryMs = 24 * 3_600_000;

/** Takes a submission, all or nothing. */
export function submit(
  transition: Transition,
  submission: Submission,
  facts: SubmitFacts,
): Commands["submit"]["gives"] {
  const { memory, now, settings } = transition;
  if (submission.validateOnly) return validate(transition, submission);
  const earlier = memory.requests.get(submission.requestId) ?? facts.request;
  if (submission.requestId !== "" && earlier && now.wallMs - earlier.timeMs < requestMemoryMs)
    return repeat(submission, earlier);

  const set = submission.set === "" ? submission.madeUpSet : submission.set;
  const { leavers, catalogue } = memory;
  // The set's counts were read with its record: they are out of date if one of its tasks has ended since.
  if (leavers.forgot(facts.drops) || (!memory.sets.has(set) && leavers.leftSet(set, facts.drops)))
    return { kind: "stale" };
  if (!catalogue) return noCatalogue;
  const stateOf = (id: string): TaskState | undefined => {
    const key = taskKey(set, id);
    return memory.tasks.get(key)?.status.state ?? leavers.since(key, facts.drops) ?? facts.existing.get(id);
  };
  const found = checkSubmission(submission, catalogue, settings, (id) => stateOf(id) !== undefined);
  checkAgainstSet(found, set, declaredBy(submission), limitsOf(transition, set, facts));
  if (found.count > 0) return invalid(found);
  for (const { needs } of submission.tasks) {
    for (const need of needs) {
      const state = stateOf(need);
      // Live by its row, but not in memory: it left between the reading and now, and isn't remembered.
      if (state && !isFinal(state) && !memory.tasks.has(taskKey(set, need))) return { kind: "stale" };
    }
  }

  const revision = memory.revision;
  const limits = takeSet(transition, set, submission, facts);
  const taken = submission.tasks.map((input, index) =>
    enter(transition, set, input, { ...traceOf(submission, index), declared: submission.limits, limits }),
  );
  // Only when all are in memory does each know which of its needs are unfinished.
  for (const task of taken) memory.add(task);
  for (const task of taken) begin(transition, task, stateOf);
  if (submission.requestId !== "") {
    const record = {
      requestId: submission.requestId,
      digest: submission.digest,
      set,
      taskCount: taken.length,
      revision,
      timeMs: now.wallMs,
    };
    memory.addRequest(record);
    transition.changes.push({ kind: "request", record });
  }
  return { kind: "submitted", set, taskCount: taken.length, revision, repeated: false };
}

function limitsOf({ memory }: Transition, set: string, facts: SubmitFacts): readonly SetLimit[] {
  return memory.sets.get(set)?.limits ?? facts.set?.limits ?? [];
}

/** Takes the set in if it isn't live, with what it declares; gives the limits that it has. */
function takeSet(transition: Transition, set: string, submission: Submission, facts: SubmitFacts): readonly SetLimit[] {
  const { memory, now, changes } = transition;
  const before = limitsOf(transition, set, facts);
  const limits = merged(before, declaredBy(submission));
  const live = memory.sets.get(set);
  if (live && limits === before) return limits;
  const { displayName } = submission;
  const there = live ? { ...live, counts: {}, endMs: 0 } : facts.set;
  const record: SetRecord = {
    ...(there ?? { set, displayName, createMs: now.wallMs, counts: {}, endMs: 0 }),
    ...(limits.length > 0 && { limits }),
  };
  if (live) memory.declare(live, limits);
  else memory.addSet(record);
  changes.push({ kind: "set", record });
  return limits;
}

const noCatalogue: Refused = {
  kind: "refused",
  reason: "NOT_READY",
  message:
    "the pools and limits aren't known yet, because the pool-manager hasn't been reached since this data folder was made: try again",
};

/** Checks what doesn't depend on what was taken before. */
function validate({ memory, settings }: Transition, submission: Submission): Submitted | Invalid | Refused {
  if (!memory.catalogue) return noCatalogue;
  const found = checkSubmission(submission, memory.catalogue, settings, undefined);
  if (found.count > 0) return invalid(found);
  return { kind: "submitted", set: submission.set, taskCount: 0, revision: memory.revision, repeated: false };
}

function invalid({ list, count, undeclared }: Violations): Invalid {
  return { kind: "invalid", violations: list, count, undeclared };
}

function repeat(submission: Submission, earlier: RequestRecord): Submitted | Refused {
  if (earlier.digest === submission.digest)
    return {
      kind: "submitted",
      set: earlier.set,
      taskCount: earlier.taskCount,
      revision: earlier.revision,
      repeated: true,
    };
  return {
    kind: "refused",
    reason: "REQUEST_ID_REUSED",
    message: `request_id ${submission.requestId} was used for another submission (${earlier.taskCount} tasks into set ${earlier.set}): make a new id for new content`,
  };
}

type Trace = Pick<TaskHeader, "traceParent" | "submission">;

/** A trace of its own, linked with the submission's, so that neither grows with the number of tasks; without tracing the client's goes on. */
function traceOf({ traceParent, traces }: Submission, index: number): Trace {
  const own = traces[index];
  return own === undefined ? { traceParent } : { traceParent: own, submission: traceParent };
}

/** What all tasks of a submission have in common with the set, and the trace of one. */
interface Surroundings extends Trace {
  /** Limits that the submission declares. */
  readonly declared: Submission["limits"];
  /** All that the set has. */
  readonly limits: readonly SetLimit[];
}

function enter(
  transition: Transition,
  set: string,
  input: TaskInput,
  { declared, limits, ...trace }: Surroundings,
): LiveTask {
  const { memory, now, settings } = transition;
  const key = taskKey(set, input.id);
  const order = transition.nextRevision();
  const header: TaskHeader = {
    key,
    set,
    id: input.id,
    order,
    createMs: now.wallMs,
    needs: input.needs,
    // Checked: none is unknown.
    needConditions: input.needConditions as NeedConditions,
    pool: input.pool,
    skill: input.skill,
    pools: memory.catalogue ? resolvePools(input, memory.catalogue, settings) : [],
    labels: input.labels,
    limits: occupied(set, input.limits, declared, limits),
    tenant: input.tenant,
    priority: input.priority,
    cpuMillis: input.cpuMillis,
    memoryBytes: input.memoryBytes,
    retry: resolveRetry(input.retry, settings.retry),
    startTimeoutMs: input.startTimeoutMs ?? 0,
    logLimitBytes: input.run?.logLimitBytes ?? 0,
    ...trace,
    ...(input.run?.kind === "handler" && { handler: input.run.handler }),
  };
  const status: TaskStatus = {
    state: "PENDING",
    attempt: 0,
    failureCount: 0,
    lossCount: 0,
    idleCount: 0,
    reason: "",
    readyMs: 0,
    startMs: 0,
    endMs: 0,
    revision: order,
    sequence: 0,
    overtaken: 0,
    progress: 0,
    progressMessage: "",
    runner: "",
    pool: "",
    eventCount: 0,
    forbid: null,
  };
  memory.fresh.set(key, input.spec);
  memory.entering.add(key);
  transition.changes.push({ kind: "entered", key });
  return new LiveTask({ header, status, attempts: [], events: [] });
}

/** Defaults field by field. A first wait longer than the longest one is no contradiction: the longest wins. */
function resolveRetry(asked: TaskInput["retry"], defaults: Retry): Retry {
  return {
    maxAttempts: asked.maxAttempts || defaults.maxAttempts,
    backoffMs: asked.backoffMs ?? defaults.backoffMs,
    multiplier: asked.multiplier || defaults.multiplier,
    maxBackoffMs: asked.maxBackoffMs ?? defaults.maxBackoffMs,
  };
}

function begin(transition: Transition, task: LiveTask, stateOf: (id: string) => TaskState | undefined): void {
  // One of the same submission may have skipped it already.
  if (task.status.state !== "PENDING") return;
  transition.update(task, {}, null, [["TaskCreated"]]);
  const { needs, needConditions, set } = task.header;
  const unmet = needs.find((need) => {
    const state = stateOf(need);
    return state !== undefined && isFinal(state) && !meets(state, conditionOf(needConditions, need));
  });
  if (unmet !== undefined) {
    const needed = transition.memory.tasks.get(taskKey(set, unmet))?.status;
    const ended = needed ?? { state: stateOf(unmet) ?? "FAILED", reason: "" };
    transition.finish(task, "SKIPPED", skippedFor(task.header, unmet, ended));
  } else if (task.waits.size === 0) transition.makeReady(task);
  else transition.update(task, { reason: `waits for ${waitsText(task)}` }, null, []);
}

function waitsText(task: LiveTask): string {
  const [first, ...more] = task.waits;
  return more.length === 0 ? `${first}` : `${first} and ${more.length} more`;
}
