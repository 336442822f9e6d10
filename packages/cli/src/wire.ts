// Between the SDK's words for states and the wire's: what `--json` prints are the messages of the wire.
import { finalStates, type Task, type TaskFilter, type TaskState } from "@berth/client";
import { registry } from "@berth/contracts";

/** A state as the SDK names it. */
function sdkState(state: registry.Task_State): TaskState {
  return state.replace(/^STATE_/, "") as TaskState;
}

/** Whether a task stays in a state. */
export function isFinal(state: registry.Task_State): boolean {
  return finalStates.has(sdkState(state));
}

/** A task that the SDK told, as the message of the wire. */
export function wireTask(task: Task): registry.Task {
  return { ...task, state: registry.Task_State[task.state] ?? registry.Task_State.UNRECOGNIZED };
}

/** A filter of the wire as the SDK takes it. */
export function selectionOf(filter: registry.TaskFilter): TaskFilter {
  return { ...filter, states: filter.states.map(sdkState) };
}
