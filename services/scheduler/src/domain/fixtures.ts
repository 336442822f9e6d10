import type { BidResult } from "./command.js";
import { type CoreOptions, SchedulerCore } from "./core.js";
import { priorityPolicy } from "./policy.js";
import type { AttemptRef, ReadyTask } from "./task.js";

/** A ready task for tests; `sequence` names it unless told otherwise. */
export function ready(sequence: number, more: Partial<ReadyTask> = {}): ReadyTask {
  return {
    task: `s/t${sequence}`,
    attempt: 1,
    pools: ["build"],
    labels: {},
    limits: {},
    tenant: "",
    priority: 0,
    sequence,
    readyWallMs: 0,
    cpuMillis: 0,
    memoryBytes: 0,
    traceParent: "",
    overtaken: 0,
    handler: "",
    assigned: false,
    ...more,
  };
}

/** A core with small bounds for tests. */
export function coreFor(options: Partial<CoreOptions> = {}): SchedulerCore {
  return new SchedulerCore({
    policy: priorityPolicy,
    bidWindow: 2,
    standingBidsMax: 1_000,
    asideMs: 1_000,
    ...options,
  });
}

/** The answer that grants a bid. */
export function granted({ task, attempt }: AttemptRef, runner = "r1"): BidResult {
  const grant = {
    lease: `l-${task}-${attempt}`,
    token: 1n,
    pool: "build",
    runner,
    incarnation: "i1",
    slot: `${runner}/1`,
    active: true,
    traceParent: "",
    secret: Buffer.alloc(0),
  };
  return { task, attempt, verdict: "granted", grant };
}
