// Tasks and sets as the client tells them: the messages of the wire, with one vocabulary for states and plain numbers for counts.
import { registry } from "@berth/contracts";

/** Where a task stands, by the API's name without prefix. Later versions may have more: a `switch` over it needs a `default`. */
export type TaskState =
  /** Blocked: waits for the tasks that it needs. */
  | "PENDING"
  /** Queued: waits for capacity and a runner. */
  | "READY"
  /** Has a lease; its run isn't known to have begun. */
  | "ASSIGNED"
  /** Its run has begun. */
  | "RUNNING"
  /** Failed, and waits for its next attempt. */
  | "BACKING_OFF"
  /** Cancelled, and its run isn't yet known to be dead. */
  | "CANCELLING"
  /** Done. Final. */
  | "SUCCEEDED"
  /** Failed for good. Final, but for `retry`. */
  | "FAILED"
  /** Cancelled before it succeeded. Final, but for `retry`. */
  | "CANCELLED"
  /** Never run, because a task that it needs ended otherwise than it needs. Final, but for `retry`. */
  | "SKIPPED";

/** States in which a task stays. */
export const finalStates: ReadonlySet<TaskState> = new Set<TaskState>(["SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED"]);

/** Tasks by state. A state in which there are none has no entry. */
export type TaskCounts = { readonly [State in TaskState]?: number };

/** A task: the message of the wire, its state by {@link TaskState}. */
export interface Task extends Omit<registry.Task, "state"> {
  /** Where it stands. */
  readonly state: TaskState;
}

/** A set of tasks: the message of the wire, its counts as numbers. */
export interface TaskSet extends Omit<registry.TaskSet, "taskCounts" | "taskCount"> {
  /** Tasks by state, such as `{ SUCCEEDED: 2 }`. */
  readonly taskCounts: TaskCounts;
  /** Tasks in all. */
  readonly taskCount: number;
}

/** Tasks to choose: those that match all that is given; everything if nothing is. */
export interface TaskFilter extends Partial<Omit<registry.TaskFilter, "states">> {
  /** Only those in one of these states. */
  readonly states?: readonly TaskState[];
}

/** Which tasks: a set, one task as `{set}/{task}`, several as such, or a filter. */
export type TaskSelection = string | readonly string[] | TaskFilter;

/** A task of the wire as the client tells it. A state that this version doesn't know is `UNRECOGNIZED`. */
export function told(task: registry.Task): Task {
  return { ...task, state: task.state.replace(/^STATE_/, "") as TaskState };
}

/** A set of the wire as the client tells it. */
export function toldSet(set: registry.TaskSet): TaskSet {
  const taskCounts = Object.fromEntries(Object.entries(set.taskCounts).map(([state, count]) => [state, Number(count)]));
  return { ...set, taskCounts, taskCount: Number(set.taskCount) };
}

/** The filter of the wire. */
export function filterOf(selection: TaskSelection): registry.TaskFilter {
  if (typeof selection === "string")
    return registry.TaskFilter.fromPartial(selection.includes("/") ? { tasks: [selection] } : { set: selection });
  if (Array.isArray(selection)) return registry.TaskFilter.fromPartial({ tasks: [...selection] });
  const { states = [], ...filter } = selection as TaskFilter;
  return registry.TaskFilter.fromPartial({ ...filter, states: states.map((state) => registry.Task_State[state]) });
}
