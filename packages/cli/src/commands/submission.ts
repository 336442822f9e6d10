// What `run` and `submit` have in common: a file, or one command behind `--`.
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { readText } from "@berth/chassis/config";
import { type BerthClient, parseTaskFile, type Submitted, type TaskInput, taskSchema, toSpec } from "@berth/client";
import type { registry } from "@berth/contracts";
import { bytesFlag, cpuFlag, durationFlag, pairFlags, weightFlags, wholeNumber } from "../arguments.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import type { Io } from "../io.js";

/** Flags of `run` and `submit`. */
export interface SubmissionOptions {
  readonly set?: string;
  readonly name?: string;
  readonly requestId?: string;
  readonly id?: string;
  readonly pool?: string;
  readonly skill?: string;
  readonly tenant?: string;
  readonly priority?: string;
  readonly limit: string[];
  readonly env: string[];
  readonly secret: string[];
  readonly cpu?: string;
  readonly memory?: string;
  readonly timeout?: string;
  readonly retry?: string;
  readonly cwd?: string;
}

// Flags that describe one task and so don't go with a file.
const taskFlags = ["id", "pool", "skill", "tenant", "priority", "cpu", "memory", "timeout", "retry", "cwd"] as const;

/** The most output of a run that can be kept. */
const outputBytesMax = 16n * 1_024n * 1_024n;

/** What is to be submitted, checked. */
export interface Submission {
  readonly name: string;
  readonly tasks: registry.TaskSpec[];
  readonly limits?: registry.SetLimit[];
  readonly maxConcurrency?: number;
}

/** Reads a file (`-` for standard input) or one command. Sends nothing. */
export function readSubmission(
  file: string | undefined,
  command: readonly string[],
  options: SubmissionOptions,
  io: Io,
): Submission {
  if (file === undefined && command.length === 0)
    throw new UsageError(`give a task file, or a command after --, such as: ${hint(io, "submit -- echo hello")}`);
  if (file !== undefined && command.length > 0)
    throw new UsageError(`give either a file or a command, not both ("${file}" and "${command.join(" ")}")`);
  return file === undefined ? fromCommand(command, options) : fromFile(file, options);
}

/** Submits it. */
export function submitTasks(
  client: BerthClient,
  { name, tasks, limits = [], maxConcurrency = 0 }: Submission,
  options: SubmissionOptions,
  { environment }: Pick<Io, "environment">,
): Promise<Submitted> {
  const { TRACEPARENT: traceParent = "", TRACESTATE: traceState = "", BAGGAGE: baggage = "" } = environment;
  return client.submitSpecs(tasks, {
    requestId: options.requestId ?? randomUUID(),
    displayName: options.name ?? name,
    limits,
    ...(maxConcurrency === 0 ? {} : { maxConcurrency }),
    // What a pipeline, or a task that submits tasks, tells its commands.
    trace: { traceParent, traceState, baggage },
    ...(options.set === undefined ? {} : { set: options.set }),
  });
}

function fromFile(file: string, options: SubmissionOptions): Submission {
  const given =
    taskFlags.find((flag) => options[flag] !== undefined) ??
    (["limit", "env", "secret"] as const).find((flag) => options[flag].length > 0);
  if (given !== undefined)
    throw new UsageError(
      `--${given} describes one command; with a file, write it into the file (under a task, or under defaults)`,
    );
  const source = file === "-" ? "standard input" : file;
  const text = readText(file === "-" ? 0 : file, source);
  return parseTaskFile(text, source, { openSet: options.set !== undefined });
}

function fromCommand(command: readonly string[], options: SubmissionOptions): Submission {
  const input: TaskInput = {
    id: options.id ?? "task",
    run: [...command],
    limits: weightFlags("--limit", options.limit),
    env: pairFlags("--env", options.env),
    secrets: options.secret,
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    ...(options.skill === undefined ? {} : { skill: options.skill }),
    ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
    ...(options.priority === undefined ? {} : { priority: wholeNumber("--priority", options.priority, -1_000, 1_000) }),
    ...(options.timeout === undefined ? {} : { timeout: `${durationFlag("--timeout", options.timeout)}ms` }),
    // A command is run once, as a shell would: whether it may be repeated is known to whoever gives it.
    retry: options.retry === undefined ? 1 : wholeNumber("--retry", options.retry, 1, 100),
    ...(options.cwd === undefined ? {} : { cwd: resolve(options.cwd) }),
    resources: {
      ...(options.cpu === undefined ? {} : { cpu: `${cpuFlag("--cpu", options.cpu)}m` }),
      ...(options.memory === undefined ? {} : { memory: bytesFlag("--memory", options.memory) }),
    },
  };
  const checked = taskSchema.safeParse(input);
  if (!checked.success)
    throw new UsageError(
      checked.error.issues.map((issue) => `${flagOf(issue.path, options)} ${issue.message}`).join("\n"),
    );
  const spec = toSpec(checked.data);
  // Its output is wanted whole, as if it ran here.
  const run = { ...spec.run, logLimitBytes: outputBytesMax } as registry.TaskSpec["run"];
  return { name: command.join(" ").slice(0, 128), tasks: [{ ...spec, run }] };
}

/** The flag that a finding is about, with what was given. */
function flagOf(path: readonly PropertyKey[], options: SubmissionOptions): string {
  const flags: Record<string, string> = { limits: "limit", secrets: "secret" };
  const flag = flags[String(path[0])] ?? String(path[0]);
  const given = (options as unknown as Record<string, unknown>)[flag];
  if (typeof given === "string") return `--${flag}: ${JSON.stringify(given)}`;
  return path.length < 2 ? `--${flag}:` : `--${flag}: ${JSON.stringify(itemOf(given, path[1]))}`;
}

function itemOf(given: unknown, at: PropertyKey | undefined): unknown {
  return Array.isArray(given) && typeof at === "number" ? given[at] : at;
}
