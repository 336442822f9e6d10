import type { Catalogue } from "./catalogue.js";
import type { Change, Command, Filter, Outcome } from "./commands.js";
import { RegistryCore } from "./core.js";
import type { LeaseEvent } from "./lease-event.js";
import { mustSucceed } from "./needs.js";
import type { Submission, TaskInput } from "./submission.js";
import type { RunOutcome, TaskSnapshot } from "./task.js";
import type { CoreSettings } from "./transition.js";

/** Settings of the examples. */
export const exampleSettings: CoreSettings = {
  pool: "default",
  retry: { maxAttempts: 3, backoffMs: 10_000, multiplier: 2, maxBackoffMs: 300_000 },
  runnerLossLimit: 2,
  noResultLimit: 5,
};

/** Pools and limits of the examples. */
export const exampleCatalogue: Catalogue = {
  version: 1,
  pools: [
    { pool: "default", skills: [], cpuMillis: 4_000, memoryBytes: 0 },
    { pool: "gpu", skills: ["render"], cpuMillis: 0, memoryBytes: 1_000 },
  ],
  limits: { global: 10, "api:llm": 5, closed: 0 },
};

/** A task that runs `true`. */
export function exampleTask(id: string, needs: readonly string[] = [], more: Partial<TaskInput> = {}): TaskInput {
  const run = {
    kind: "command",
    argv: ["true"],
    shell: "",
    handler: "",
    payload: "",
    payloadBytes: 0,
    env: {},
    secrets: [],
    cwd: "",
    stdinBytes: 0,
    logLimitBytes: 0,
  } as const;
  return {
    id,
    needs,
    needConditions: mustSucceed,
    pool: "",
    skill: "",
    labels: {},
    priority: 0,
    tenant: "",
    cpuMillis: 0,
    memoryBytes: 0,
    limits: {},
    retry: { maxAttempts: 0, backoffMs: undefined, multiplier: 0, maxBackoffMs: undefined },
    startTimeoutMs: undefined,
    run: { ...run, startToCloseMs: undefined, heartbeatMs: undefined, killGraceMs: undefined },
    spec: new Uint8Array([1]),
    ...more,
  };
}

/** A submission into the set `s`. */
export function exampleSubmission(tasks: readonly TaskInput[], more: Partial<Submission> = {}): Submission {
  return {
    set: "s",
    madeUpSet: "made-up",
    displayName: "",
    tasks,
    limits: [],
    maxConcurrency: 0,
    requestId: "",
    validateOnly: false,
    digest: "d",
    traceParent: "",
    traces: [],
    ...more,
  };
}

/** An outcome. */
export function exampleOutcome(result: RunOutcome["result"], more: Partial<RunOutcome> = {}): RunOutcome {
  return {
    result,
    exitCode: null,
    signal: "",
    message: "",
    resultJson: "",
    startMs: 0,
    endMs: 0,
    permanent: false,
    outputBytes: 0,
    ...more,
  };
}

/** A filter that lets everything through. */
export const everything: Filter = { set: "", states: [], pool: "", tenant: "", keys: [], ids: [], labels: {} };

/** A core with rows, and the shortest words to drive it. Rows are written at once, as by a store that never fails. */
export class Bench {
  readonly core = new RegistryCore(exampleSettings);
  readonly rows = new Map<string, TaskSnapshot>();
  readonly changes: Change[] = [];
  nowMs = 1_000_000;
  private position = 0;

  constructor() {
    this.core.finishLoading();
    this.do({ kind: "catalogue", catalogue: exampleCatalogue });
  }

  /** Decides and writes. */
  do(command: Command): Outcome {
    const { outcome, changes } = this.core.decide(command, { monoMs: 0, wallMs: this.nowMs });
    this.changes.push(...changes);
    for (const key of new Set(changes.map((change) => this.core.rowKey(change)))) {
      const found = key === undefined ? undefined : this.core.row(key);
      if (key === undefined || found?.row.kind !== "task") continue;
      if (found.final)
        this.rows.set(
          key,
          structuredClone({
            header: found.row.task.header,
            status: found.row.task.status,
            attempts: found.row.task.attempts,
            events: found.row.task.events,
          }),
        );
      if (found.final) this.core.written(key);
    }
    return outcome;
  }

  submit(...tasks: readonly TaskInput[]): Outcome {
    return this.do({ kind: "submit", submission: exampleSubmission(tasks), facts: this.facts() });
  }

  /** What a reading of the rows would find. */
  facts(): Extract<Command, { kind: "submit" }>["facts"] {
    const existing = new Map([...this.rows.values()].map(({ header, status }) => [header.id, status.state]));
    const set = this.rows.size > 0 ? { set: "s", displayName: "", createMs: 1, counts: {}, endMs: 0 } : undefined;
    return { drops: this.core.memory.leavers.drops, existing, set, request: undefined };
  }

  event(kind: LeaseEvent["kind"], id: string, attempt: number, more: Partial<LeaseEvent> = {}): Outcome {
    const position = ++this.position;
    const event: LeaseEvent = {
      position,
      kind,
      key: `s/${id}`,
      attempt,
      lease: `lease-${id}-${attempt}`,
      token: position,
      runner: "r1",
      pool: "default",
      slot: "r1/1",
      timeMs: this.nowMs,
      grantMs: this.nowMs,
      startMs: kind === "started" ? this.nowMs : 0,
      reason: kind === "released" ? "completed" : "",
      outcome: null,
      lateOutcome: null,
      revokeReason: "",
      ...more,
    };
    return this.do({
      kind: "leaseEvents",
      events: [event],
      cursor: position,
      facts: { drops: this.core.memory.leavers.drops, rows: [...this.rows.values()] },
    });
  }

  /** Grants, starts and releases. */
  run(id: string, attempt: number, result: RunOutcome["result"], more: Partial<RunOutcome> = {}): void {
    this.event("granted", id, attempt);
    this.event("started", id, attempt);
    this.event("released", id, attempt, { outcome: exampleOutcome(result, more) });
  }

  task(id: string): TaskSnapshot {
    const task = this.core.memory.tasks.get(`s/${id}`) ?? this.rows.get(`s/${id}`);
    if (!task) throw new Error(`no task ${id}`);
    return task;
  }

  /** `state/attempt` of a task. */
  at(id: string): string {
    const { status } = this.task(id);
    return `${status.state}/${status.attempt}`;
  }
}
