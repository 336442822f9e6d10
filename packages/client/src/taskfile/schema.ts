// The task file: what people write. Strict everywhere, so that a misspelt key is an error and not silence.
import { asWritten, bytes, cpu } from "@berth/wire/config";
import { z } from "zod";
import { duration } from "../quantities.js";
import { findCycle } from "./order.js";

const name = z.string().regex(/^(?!.*\.\.)[a-z0-9][a-z0-9._-]{0,62}$/, {
  error:
    "isn't a name: write 1 to 63 lower-case letters, digits, '.', '_' or '-', beginning with a letter or digit, without '..'",
});
const taskId = z.string().regex(/^(?!.*\.\.)[a-zA-Z0-9][a-zA-Z0-9._-]{0,126}$/, {
  error:
    "isn't a task id: write 1 to 127 letters, digits, '.', '_' or '-', beginning with a letter or digit, without '..'",
});
const limitName = z.string().regex(/^(?!.*\.\.)[a-z0-9][a-z0-9._:-]{0,126}$/, {
  error: "isn't a limit's name: write 1 to 127 lower-case letters, digits, '.', '_', ':' or '-', without '..'",
});
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
  error: "isn't a variable's name: write letters, digits and '_', not beginning with a digit",
});
const need = z
  .union(
    [
      taskId,
      z.strictObject({
        task: taskId.describe("Id of the needed task."),
        when: z
          .enum(["succeeded", "failed", "ended"])
          .optional()
          .describe(
            "When the need is met: succeeded (default), failed, or ended, whatever the end. A skipped task has ended.",
          ),
      }),
    ],
    { error: "isn't a need: write a task's id, or { task: ID, when: succeeded, failed or ended }" },
  )
  .transform((need) => (typeof need === "string" ? { task: need, when: undefined } : need));
const weight = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const timeout = z.union(
  [
    duration(),
    z.strictObject({
      run: duration().optional().describe("Longest time from the start of the run to its end."),
      start: duration().optional().describe("Longest wait from ready to start; past it the task fails for good."),
      silence: duration().optional().describe("Longest time without output, or without a heartbeat of a handler."),
    }),
  ],
  {
    error:
      "isn't a time-out: write a duration such as 10m (from start to end), or an object with run, start and silence",
  },
);

const attempts = z.int().min(1).max(100);
const retry = z.union(
  [
    attempts,
    z.strictObject({
      attempts: attempts.optional().describe("Attempts in all that may fail. Default 3."),
      backoff: duration({ min: 0 }).optional().describe("Wait after the first failure. Default 10s."),
      multiplier: z.number().min(1).max(10).optional().describe("Factor for each further wait. Default 2."),
      maxBackoff: duration({ min: 0 }).optional().describe("Longest wait. Default 300s."),
    }),
  ],
  {
    error:
      "isn't a retry: write the number of attempts (1 to 100), or an object with attempts, backoff, multiplier and maxBackoff",
  },
);

const shared = {
  pool: name.optional().describe("Pool to run in. Default: chosen by skill, then the default pool."),
  skill: name.optional().describe("Skill: any pool that offers it will do."),
  labels: z.record(z.string(), z.string()).optional().describe("Labels that the runner must have. At most 16."),
  priority: z.int().min(-1_000).max(1_000).optional().describe("-1000 to 1000, default 0; larger goes first."),
  tenant: name.optional().describe("Tenant that the task is counted for."),
  resources: z
    .strictObject({
      cpu: cpu().optional().describe("Cores, such as 0.5 or 500m, out of the pool's."),
      memory: bytes().optional().describe("Memory, such as 512MiB, out of the pool's."),
    })
    .optional(),
  limits: z
    .union([z.record(limitName, weight), z.array(limitName).max(16)], {
      error:
        "isn't a set of limits: write them with whole weights of 1 or more, such as { api:llm: 2 }, or a list of names (weight 1 each)",
    })
    .optional()
    .describe("Named limits that the task occupies, with weights; a list of names means weight 1 each. At most 16."),
  timeout: timeout.optional().describe("A duration from start to end, or an object with run, start and silence."),
  retry: retry
    .optional()
    .describe("Number of attempts, or an object with attempts, backoff, multiplier and maxBackoff."),
  env: z
    .record(
      variable,
      asWritten(
        z.union([z.string(), z.number(), z.boolean()], { error: "isn't a value: write a text, a number or a boolean" }),
      ),
    )
    .optional()
    .describe("Environment variables of the run. A number, true or false is taken as it is written: 1.10 is 1.10."),
  secrets: z
    .array(variable)
    .max(64)
    .optional()
    .describe("Names of secrets that the runner takes from its own environment or files; values are never sent."),
  cwd: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe("Working directory; a relative one is taken from the runner's."),
};

/** Schema of one task: of the task file and of `client.submit`. */
export const taskSchema = z
  .strictObject({
    id: taskId.describe("Id within the set."),
    run: z
      .union([z.string().min(1), z.array(z.string()).min(1).max(1_024)], {
        error: "isn't a command: write a program with its arguments as a list of texts, or one text for /bin/sh",
      })
      .optional()
      .describe("A list is a program with its arguments, seen by no shell; one text is a line for /bin/sh -c."),
    handler: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe("Name of a handler that a runner's program has registered."),
    payload: z.json().optional().describe("Argument of the handler, any JSON. At most 256 KiB."),
    needs: z
      .array(need)
      .max(1_000)
      .optional()
      .describe(
        "Tasks of the same set that must end first: ids of such as must succeed, or { task, when } for any other end.",
      ),
    stdin: z.string().optional().describe("Text written to standard input. At most 256 KiB."),
    ...shared,
  })
  .superRefine((task, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (task.run === undefined && task.handler === undefined)
      problem("id", "the task has neither run nor handler: give one");
    if (task.run !== undefined && task.handler !== undefined)
      problem("handler", "the task has run as well: give one of the two");
    if (task.payload !== undefined && task.handler === undefined) problem("payload", "only a handler takes a payload");
    if (task.stdin !== undefined && task.run === undefined) problem("stdin", "only a run takes standard input");
  });

/** One task, checked, quantities as numbers. */
export type CheckedTask = z.output<typeof taskSchema>;

/** Ids of the tasks that a task needs. Where a need is no need at all, what was written stands there still: it isn't looked at. */
export function needIds({ needs = [] }: Pick<CheckedTask, "needs">): string[] {
  return needs.flatMap(({ task }) => (typeof task === "string" ? [task] : []));
}

/** What a task file may give for all its tasks; see `withDefaults` for how it is merged. */
export const defaultsSchema = z.strictObject(shared);
export type CheckedDefaults = z.output<typeof defaultsSchema>;

/**
 * Schema of a whole task file. With `openSet` tasks may need tasks that the file doesn't have, because they are in the set
 * that it is submitted into.
 */
export function taskFileSchema(options: { openSet?: boolean } = {}) {
  return z
    .strictObject({
      name: z.string().min(1).max(128).optional().describe("A name for people."),
      defaults: defaultsSchema.optional().describe("What holds for every task that doesn't say otherwise."),
      tasks: z.array(taskSchema).min(1).describe("The tasks."),
    })
    .superRefine((file, context) => {
      const first = new Map<string, number>();
      for (const [index, task] of file.tasks.entries()) {
        const before = first.get(task.id);
        if (before === undefined) first.set(task.id, index);
        else
          context.addIssue({
            code: "custom",
            path: ["tasks", index, "id"],
            message: `"${task.id}" is the id of tasks[${before}] already: give every task its own`,
          });
      }
      for (const [index, task] of file.tasks.entries()) {
        for (const [at, { task: need }] of (task.needs ?? []).entries()) {
          if (typeof need !== "string" || first.has(need) || options.openSet === true) continue;
          context.addIssue({
            code: "custom",
            path: ["tasks", index, "needs", at],
            message: `there is no task "${need}" in this file${nearest(need, [...first.keys()])}`,
          });
        }
      }
      const cycle = findCycle(file.tasks.map((task) => ({ id: task.id, needs: needIds(task) })));
      if (cycle !== undefined)
        context.addIssue({
          code: "custom",
          path: ["tasks", first.get(cycle[0] ?? "") ?? 0, "needs"],
          message: `the tasks wait for each other in a circle: ${cycle.join(" needs ")}. Remove one of these needs`,
        });
    });
}

/** `; did you mean "x"?` where a name differs in case or in one or two letters. */
function nearest(name: string, names: readonly string[]): string {
  const close = names.find((each) => each.toLowerCase() === name.toLowerCase() || distance(each, name) <= 2);
  return close === undefined ? "" : `; did you mean "${close}"?`;
}

function distance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > 2) return 3;
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
