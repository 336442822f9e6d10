// A task as people write it in a program. The schema checks the same at run time; input.test.ts keeps the two equal.

/** Any JSON. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

/** A task that another one needs, and how it must have ended. */
export interface NeedInput {
  /** Id of the needed task, in the same set. */
  task: string;
  /** When the need is met: `succeeded` (default), `failed`, or `ended`, whatever the end; a skipped task has ended. */
  when?: "succeeded" | "failed" | "ended" | undefined;
}

/** How long the parts of a task may take: durations with their unit, such as `500ms`, `10s`, `1m30s`, `2h`; at most a year. */
export interface TimeoutInput {
  /** Longest time from the start of the run to its end; past it the attempt has failed. */
  run?: string | undefined;
  /** Longest wait from ready to start; past it the task fails for good. */
  start?: string | undefined;
  /** Longest time without output, or without a heartbeat of a handler. */
  silence?: string | undefined;
}

/** How often a task is tried, and the waits in between. */
export interface RetryInput {
  /** Attempts in all that may fail, 1 to 100. Default 3. */
  attempts?: number | undefined;
  /** Wait after the first failure, with its unit, such as `500ms`. Default `10s`. */
  backoff?: string | undefined;
  /** Factor for each further wait, 1 to 10. Default 2. */
  multiplier?: number | undefined;
  /** Longest wait, with its unit. Default `300s`. */
  maxBackoff?: string | undefined;
}

/** What a task takes of its pool's machine. */
export interface ResourcesInput {
  /** Cores: a number such as 0.5, or a text such as `500m`. Default 0. */
  cpu?: string | number | undefined;
  /** Memory: bytes, or a text such as `512MiB`. Default 0. */
  memory?: string | number | undefined;
}

/** What every task may say. */
export interface SharedTaskInput {
  /** Id within the set: 1 to 127 letters, digits, `.`, `_` or `-`. */
  id: string;
  /** Tasks of the same set that must end first, at most 1,000: ids of such as must succeed, or `{ task, when }` for any other end. */
  needs?: (string | NeedInput)[] | undefined;
  /** Pool to run in. Default: chosen by skill, then the default pool. */
  pool?: string | undefined;
  /** Skill: any pool that offers it will do. */
  skill?: string | undefined;
  /** Labels that the runner must have. At most 16. */
  labels?: Record<string, string> | undefined;
  /** -1000 to 1000, default 0; larger goes first. */
  priority?: number | undefined;
  /** Tenant that the task is counted for. */
  tenant?: string | undefined;
  /** Processor time and memory, out of the pool's. */
  resources?: ResourcesInput | undefined;
  /** Named limits that the task occupies, with whole weights of 1 and more; a list of names means weight 1 each. At most 16. */
  limits?: Record<string, number> | string[] | undefined;
  /** A duration with its unit, such as `10m`, from start to end; or an object with run, start and silence. Default: none. */
  timeout?: string | TimeoutInput | undefined;
  /** Number of attempts, 1 to 100, or an object with attempts, backoff, multiplier and maxBackoff. Default 3 attempts. */
  retry?: number | RetryInput | undefined;
  /** Environment variables of the run. Numbers, true and false are passed on as texts. */
  env?: Record<string, string | number | boolean> | undefined;
  /** Names of secrets, at most 64, that the runner takes from its own environment or files; values are never sent. */
  secrets?: string[] | undefined;
  /** Working directory; a relative one is taken from the runner's. */
  cwd?: string | undefined;
}

/** A task that runs a command. */
export interface CommandTask extends SharedTaskInput {
  /** A list is a program with its arguments, seen by no shell; one text is a line for `/bin/sh -c`. */
  run: string | string[];
  /** Text written to standard input. At most 256 KiB. */
  stdin?: string | undefined;
  /** A task has either a command or a handler. */
  handler?: undefined;
  /** Only a handler takes a payload. */
  payload?: undefined;
}

/** A task for a handler that a runner's program has registered. */
export interface HandlerTask extends SharedTaskInput {
  /** Name of the handler. At most 128 characters. */
  handler: string;
  /** Argument of the handler, any JSON. At most 256 KiB. */
  payload?: JsonValue | undefined;
  /** A task has either a command or a handler. */
  run?: undefined;
  /** Only a command takes standard input. */
  stdin?: undefined;
}

/** One task as people write it: a command (`run`), or work for a handler (`handler`). */
export type TaskInput = CommandTask | HandlerTask;
