import type { BidResult } from "./command.js";
import { type CoreOptions, SchedulerCore } from "./core.js";
import { type Policy, priorityPolicy } from "./policy.js";
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

/** A policy with a state: each tenant in turn, by how many of its tasks had a lease and how many are ranked before. */
export const fairPolicy: Policy = {
  name: "each-tenant-in-turn",
  priorityFirst: false,
  begin() {
    const granted = new Map<string, number>();
    const queued = new Map<string, number>();
    const add = (to: Map<string, number>, tenant: string, count: number): number => {
      const sum = (to.get(tenant) ?? 0) + count;
      to.set(tenant, sum);
      return sum;
    };
    return {
      rank: ({ tenant, sequence }) =>
        ((granted.get(tenant) ?? 0) + add(queued, tenant, 1)) * 1_000_000 + Math.min(sequence, 999_999),
      granted: ({ tenant }) => void add(granted, tenant, 1),
      ended: ({ tenant }) => void add(queued, tenant, -1),
    };
  },
};

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

/** The answer that grants a bid; not `active`: it tells of a lease that is being revoked. */
export function granted({ task, attempt }: AttemptRef, runner = "r1", active = true): BidResult {
  const grant = {
    lease: `l-${task}-${attempt}`,
    token: 1n,
    pool: "build",
    runner,
    incarnation: "i1",
    slot: `${runner}/1`,
    active,
    traceParent: "",
    secret: Buffer.alloc(0),
  };
  return { task, attempt, verdict: "granted", grant };
}
