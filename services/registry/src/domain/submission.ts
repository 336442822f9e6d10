import type { NeedCondition } from "./needs.js";
import type { TaskState } from "./task.js";

/** What a run asks for, as far as it is checked. Numbers may be anything; checking them is the point. */
export interface RunInput {
  readonly kind: "command" | "handler" | "none";
  readonly argv: readonly string[];
  readonly shell: string;
  readonly handler: string;
  /** Argument of the handler, JSON text; empty for none. */
  readonly payload: string;
  readonly payloadBytes: number;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly cwd: string;
  readonly stdinBytes: number;
  /** undefined: no bound. */
  readonly startToCloseMs: number | undefined;
  readonly heartbeatMs: number | undefined;
  readonly killGraceMs: number | undefined;
  readonly logLimitBytes: number;
}

/** One task as it was sent. */
export interface TaskInput {
  readonly id: string;
  readonly needs: readonly string[];
  /** `unknown`: a value of the wire that this version doesn't have. */
  readonly needConditions: Readonly<Record<string, NeedCondition | "unknown">>;
  readonly pool: string;
  readonly skill: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly tenant: string;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly limits: Readonly<Record<string, number>>;
  /** 0 or undefined takes the default of that field. */
  readonly retry: {
    readonly maxAttempts: number;
    readonly backoffMs: number | undefined;
    readonly multiplier: number;
    readonly maxBackoffMs: number | undefined;
  };
  readonly startTimeoutMs: number | undefined;
  readonly run: RunInput | undefined;
  /** The whole specification, encoded; opaque here. */
  readonly spec: Uint8Array;
}

/** A limit of a set's own, as it was declared. */
export interface SetLimit {
  /** Within the set; empty: the set as a whole, of which each task weighs 1. */
  readonly name: string;
  readonly capacity: number;
  readonly reserve: number;
  readonly reservePriority: number;
  /** 0: no such bound. */
  readonly rate: number;
  readonly ratePeriodMs: number;
}

/** A submission as it was sent. */
export interface Submission {
  /** Empty: the made-up id is used. */
  readonly set: string;
  readonly madeUpSet: string;
  readonly displayName: string;
  readonly tasks: readonly TaskInput[];
  /** Limits of the set's own, by name. */
  readonly limits: readonly SetLimit[];
  /** Most tasks of the set at once; 0 for no such bound. */
  readonly maxConcurrency: number;
  /** Empty for none. */
  readonly requestId: string;
  /** True checks, and takes nothing. */
  readonly validateOnly: boolean;
  /** Digest of the whole request. */
  readonly digest: string;
  /**
   * W3C traceparent; empty for none. While tracing is on that of the submission's span, which each task's trace is linked with; else what the client
   * gave, which the tasks go on with.
   */
  readonly traceParent: string;
  /** While tracing is on a traceparent for each task, in their order: the root of its trace. Otherwise none. */
  readonly traces: readonly string[];
}

/** An earlier submission under the same request id. */
export interface RequestRecord {
  readonly requestId: string;
  readonly digest: string;
  readonly set: string;
  readonly taskCount: number;
  readonly revision: number;
  readonly timeMs: number;
}

/** A set that is stored. `counts` has its final tasks by state. */
export interface SetRecord {
  readonly set: string;
  readonly displayName: string;
  readonly createMs: number;
  readonly counts: Readonly<Partial<Record<TaskState, number>>>;
  readonly endMs: number;
  /** Limits of its own; absent: none. */
  readonly limits?: readonly SetLimit[];
}

/** What was read from rows for a submission. `drops` is the core's count at that moment: see `Leavers`. */
export interface SubmitFacts {
  readonly drops: number;
  /** State of every stored task of the set that the submission names (as its own or as a need), by id. */
  readonly existing: ReadonlyMap<string, TaskState>;
  readonly set: SetRecord | undefined;
  readonly request: RequestRecord | undefined;
}

/** One thing that is wrong. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}
