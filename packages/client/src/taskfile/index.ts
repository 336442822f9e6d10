import type { registry } from "@berth/contracts";
import { parseYaml } from "@berth/wire/config";
import { taskFileSchema } from "./schema.js";
import { toSpec, withDefaults } from "./translate.js";

export type {
  CommandTask,
  HandlerTask,
  JsonValue,
  NeedInput,
  ResourcesInput,
  RetryInput,
  SharedTaskInput,
  TaskInput,
  TimeoutInput,
} from "./input.js";
export { findCycle, inOrder } from "./order.js";
export { taskFileSchema, taskSchema } from "./schema.js";
export { toSpec } from "./translate.js";

/** A task file, ready to be submitted. */
export interface TaskFile {
  /** Its name for people; empty if it gives none. */
  readonly name: string;
  /** Its tasks, defaults filled in. */
  readonly tasks: registry.TaskSpec[];
}

/**
 * Reads a task file. Throws a ConfigError that lists every problem with line and column; `source` is the file's name in it.
 * `openSet` lets tasks need tasks that aren't in the file, because the set that it goes into has them.
 */
export function parseTaskFile(text: string, source: string, options: { openSet?: boolean } = {}): TaskFile {
  const file = parseYaml(text, taskFileSchema(options), source);
  const defaults = file.defaults ?? {};
  return { name: file.name ?? "", tasks: file.tasks.map((task) => toSpec(withDefaults(task, defaults))) };
}
