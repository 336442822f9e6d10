/** The client SDK of Berth: submit, watch, and the task file. */
export { ReasonError } from "@berth/wire/grpc";
export type { TraceContext } from "@berth/wire/telemetry";
export {
  type BerthClient,
  type BerthClientOptions,
  createClient,
  type LogsOptions,
  type TasksOptions,
} from "./client.js";
export { type Addresses, type EndpointOptions, type Endpoints, findEndpoints, usualAddresses } from "./endpoints.js";
export { requestBytesMax, requestTasksMax, type SubmitOptions, type Submitted } from "./submit.js";
export {
  finalStates,
  type Task,
  type TaskCounts,
  type TaskFilter,
  type TaskSelection,
  type TaskSet,
  type TaskState,
} from "./task.js";
export {
  type CommandTask,
  type HandlerTask,
  type JsonValue,
  type NeedInput,
  parseTaskFile,
  type ResourcesInput,
  type RetryInput,
  type SetLimitsInput,
  type SharedTaskInput,
  type TaskFile,
  type TaskInput,
  type TimeoutInput,
  taskFileSchema,
  taskSchema,
  toSpec,
} from "./taskfile/index.js";
export { type ResultOptions, TaskUnsuccessful, type WaitOptions } from "./wait.js";
export type { WatchOptions } from "./watch.js";
