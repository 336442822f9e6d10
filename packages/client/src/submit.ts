// Submitting: what fits into one request goes as one, all or none; what doesn't is split.
import { createHash } from "node:crypto";
import { registry } from "@berth/contracts";
import { checkValue } from "@berth/wire/config";
import { ReasonError } from "@berth/wire/grpc";
import type { TraceContext } from "@berth/wire/telemetry";
import {
  findCycle,
  inOrder,
  type SetLimitsInput,
  setConcurrencySchema,
  setLimitsSchema,
  toSetLimits,
} from "./taskfile/index.js";

/** Most tasks of one request. */
export const requestTasksMax = 10_000;
/** Most bytes of one request, as encoded. */
export const requestBytesMax = 4 * 1_024 * 1_024;
// Set, name, request id and what is declared for the set, and the tag and length in front of every task.
const requestOverheadBytes = 4_096;
const taskOverheadBytes = 6;

/** How a submission is made. */
export interface SubmitOptions {
  /** Set to submit into; created if it isn't there. Default: a new one with a made-up id. */
  readonly set?: string;
  /** A name for people, at most 128 characters. */
  readonly displayName?: string;
  /**
   * Limits of the set's own, by name: a capacity, or an object as in a task file; or a list, as `parseTaskFile` gives them. Its tasks mean
   * them by these names; they go when the set is done. At most 16.
   */
  readonly limits?: SetLimitsInput | readonly registry.SetLimit[];
  /** Most tasks of the set at once. Default: no such bound. */
  readonly maxConcurrency?: number;
  /** UUID, kept by the caller before sending, so that a repeat is harmless. Default: a new one. */
  readonly requestId?: string;
  /** Aborts the call; parts already taken stay. */
  readonly signal?: AbortSignal;
  /**
   * W3C trace context that the tasks go on with; reaches their runs. Default: what is active in this program by OpenTelemetry's API. What breaks
   * W3C's rules is left out.
   */
  readonly trace?: Partial<TraceContext>;
}

/** What was submitted. */
export interface Submitted {
  /** The set. */
  readonly set: string;
  /** Tasks taken, over all parts. */
  readonly taskCount: number;
  /** True if every part repeats an earlier answer. */
  readonly repeated: boolean;
  /** Revision of the first part, to watch from. */
  readonly revision: bigint;
}

/** What a submission declares for its set, for the wire. Throws a ConfigError that names what is wrong. */
export function declarations({
  limits = {},
  maxConcurrency,
}: SubmitOptions): Pick<registry.SubmitTasksRequest, "limits" | "maxConcurrency"> {
  const most = maxConcurrency === undefined ? 0 : checkValue(maxConcurrency, setConcurrencySchema, "maxConcurrency");
  return {
    limits: isList(limits) ? [...limits] : toSetLimits(checkValue(limits, setLimitsSchema, "limits")),
    maxConcurrency: BigInt(most),
  };
}

function isList(limits: NonNullable<SubmitOptions["limits"]>): limits is readonly registry.SetLimit[] {
  return Array.isArray(limits);
}

/**
 * Splits tasks into parts that each fit into one request. One part keeps the order given; several are ordered so that no task
 * needs one of a later part. Throws a ReasonError for a task that fits into no request, and for a circle if there is more
 * than one part (the registry finds it otherwise), and then also for an id that two tasks have.
 */
export function splitTasks(tasks: readonly registry.TaskSpec[]): registry.TaskSpec[][] {
  const sizes = new Map(tasks.map((task, index) => [task, sizeOf(task, index)]));
  const total = [...sizes.values()].reduce((sum, size) => sum + size, requestOverheadBytes);
  if (tasks.length <= requestTasksMax && total <= requestBytesMax) return [[...tasks]];
  refuseDoubles(tasks);
  const ordered = inOrder(tasks);
  if (ordered.length < tasks.length) {
    const cycle = (findCycle(tasks) ?? []).join(" needs ");
    throw new ReasonError("INVALID_FIELD", `tasks: they wait for each other in a circle: ${cycle}`);
  }
  const parts: registry.TaskSpec[][] = [[]];
  let bytes = requestOverheadBytes;
  for (const task of ordered) {
    const size = sizes.get(task) ?? 0;
    const last = parts.at(-1);
    if (last !== undefined && last.length < requestTasksMax && bytes + size <= requestBytesMax) {
      last.push(task);
      bytes += size;
    } else {
      parts.push([task]);
      bytes = requestOverheadBytes + size;
    }
  }
  return parts;
}

function refuseDoubles(tasks: readonly registry.TaskSpec[]): void {
  const places = new Map<string, number>();
  for (const [index, { id }] of tasks.entries()) {
    const first = places.get(id);
    if (first !== undefined)
      throw new ReasonError(
        "INVALID_FIELD",
        `tasks[${index}].id: "${id}" is the id of tasks[${first}] too: ids are unique in a set`,
      );
    places.set(id, index);
  }
}

/** An error about a part speaks of the tasks by their places in it; this one by their places in the whole submission. */
export function placedInWhole(
  error: ReasonError,
  part: readonly registry.TaskSpec[],
  tasks: readonly registry.TaskSpec[],
) {
  const placed = (text: string) =>
    text.replace(/\btasks\[(\d+)\]/g, (given, index: string) => {
      const task = part[Number(index)];
      return task === undefined ? given : `tasks[${tasks.indexOf(task)}]`;
    });
  const fields = error.details.fields?.map((each) => ({
    field: placed(each.field),
    description: placed(each.description),
  }));
  const details = { ...error.details, ...(fields === undefined ? {} : { fields }), cause: error };
  return new ReasonError(error.reason, placed(error.message), details);
}

function sizeOf(task: registry.TaskSpec, index: number): number {
  const size = registry.TaskSpec.encode(task).finish().length + taskOverheadBytes;
  if (size + requestOverheadBytes <= requestBytesMax) return size;
  throw new ReasonError(
    "INVALID_FIELD",
    `tasks[${index}] "${task.id}" is ${size} bytes; a task has at most 256 KiB each of payload and standard input, and a ` +
      "request at most 4 MiB: put large input into a file and name it",
  );
}

/** Request id of a part: that of the submission for the first, one derived from it for each that follows. */
export function partRequestId(requestId: string, part: number): string {
  if (part === 0) return requestId;
  const hash = createHash("sha256").update(`${requestId}/${part}`).digest("hex");
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
