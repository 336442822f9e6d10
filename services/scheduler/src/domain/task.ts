/** What ordering and bidding need of a ready task. Quantities are safe integers. */
export interface ReadyTask {
  /** {set}/{task}. */
  readonly task: string;
  /** From 1. */
  readonly attempt: number;
  /** Acceptable pools, in order of preference. */
  readonly pools: readonly string[];
  /** Labels that the runner must have. */
  readonly labels: Readonly<Record<string, string>>;
  /** Named limits with weights. */
  readonly limits: Readonly<Record<string, number>>;
  /** Empty if none. */
  readonly tenant: string;
  /** Larger goes first under the policy `priority`. */
  readonly priority: number;
  /** Its place in the order; kept by an attempt that follows one which spent no retry. */
  readonly sequence: number;
  /** How often it was overtaken before in that place. */
  readonly overtaken: number;
  /** When it became ready, wall clock, milliseconds since 1970. */
  readonly readyWallMs: number;
  /** CPU in thousandths of a core. */
  readonly cpuMillis: number;
  /** Memory in bytes. */
  readonly memoryBytes: number;
  /** W3C traceparent of the submission; empty without tracing. */
  readonly traceParent: string;
  /** Handler that the runner must have; empty for a command. */
  readonly handler: string;
  /** True if the registry knows of a lease. */
  readonly assigned: boolean;
}

/** Names one attempt at a task. */
export interface AttemptRef {
  readonly task: string;
  readonly attempt: number;
}

/** A lease as far as handing out needs it. */
export interface Grant {
  readonly lease: string;
  readonly token: bigint;
  readonly pool: string;
  readonly runner: string;
  readonly incarnation: string;
  readonly slot: string;
  /** False once it is being revoked, expired or released: such work isn't handed out any more. */
  readonly active: boolean;
  /** W3C traceparent of the grant's span; empty without tracing. */
  readonly traceParent: string;
  /** Told to the runner and to nobody else. */
  readonly secret: Buffer;
}

/** A granted task: what a runner gets, but for what to run. */
export interface Assignment {
  readonly task: ReadyTask;
  readonly grant: Grant;
}

/**
 * Tasks of one class differ in nothing that a limit, a pool or a runner looks at: what refuses the first refuses all of them. A reserve
 * looks at the priority; `priorityFirst` says that the class is ordered by it, so that the first has the largest of them and the class may
 * hold several. (Split all the same, it would lose the strict order between priorities for as long as an answer is under way.) Names
 * can't hold the separators, so different contents never give the same key.
 */
export function classKey(task: ReadyTask, priorityFirst: boolean): string {
  const { pools, labels, limits, tenant, cpuMillis, memoryBytes, handler } = task;
  const priority = priorityFirst ? "" : task.priority;
  const demand = `${tenant}|${cpuMillis}|${memoryBytes}|${priority}`;
  // A handler's name may hold anything, so it comes last.
  return `${pools.join(",")}|${pairs(labels)}|${pairs(limits)}|${demand}|${handler}`;
}

function pairs(record: Readonly<Record<string, string | number>>): string {
  const keys = Object.keys(record);
  if (keys.length === 0) return "";
  return JSON.stringify(keys.sort().map((key) => [key, record[key]]));
}
