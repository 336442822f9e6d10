/** The client SDK of Berth: submit, watch, and the task file. */
export { ReasonError } from "@berth/chassis/grpc";
export type { TraceContext } from "@berth/chassis/telemetry";
export {
  type BerthClient,
  type BerthClientOptions,
  createClient,
  type TaskSelection,
  type WaitOptions,
} from "./client.js";
export { type Addresses, type EndpointOptions, type Endpoints, findEndpoints, usualAddresses } from "./endpoints.js";
export { requestBytesMax, requestTasksMax, type SubmitOptions, type Submitted } from "./submit.js";
export { parseTaskFile, type TaskFile, type TaskInput, taskFileSchema, taskSchema, toSpec } from "./taskfile/index.js";
export { finalStates, type WatchOptions } from "./watch.js";
