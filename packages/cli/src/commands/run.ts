import { durationFlag } from "../arguments.js";
import { withClient } from "../connection.js";
import { hint } from "../hints.js";
import { type Io, printJson, say, sayError } from "../io.js";
import { rememberLastSet } from "../last-set.js";
import { setOf } from "../naming.js";
import type { GlobalOptions } from "../places.js";
import { codeOfTask } from "./exit-code.js";
import { type Followed, follow } from "./follow.js";
import type { Written } from "./output.js";
import { readSubmission, type SubmissionOptions, submitTasks } from "./submission.js";

const exitCodes: Record<Followed, number> = { succeeded: 0, unsuccessful: 1, detached: 130, gaveUp: 75 };

/** `berth run`: submits and follows. */
export async function run(
  file: string | undefined,
  command: readonly string[],
  options: GlobalOptions & SubmissionOptions & { giveUp: string },
  io: Io,
): Promise<number> {
  const submission = readSubmission(file, command, options, io);
  const giveUpMs = durationFlag("--give-up", options.giveUp);
  return withClient(options, io, async (client) => {
    const submitted = await submitTasks(client, submission, options, io);
    rememberLastSet(client, io.environment, submitted.set);
    const told = `${tasksOf(submitted.taskCount)} submitted as set ${submitted.set}`;
    if (file === undefined && options.json !== true) sayError(io, told);
    else if (options.json !== true) say(io, told);
    // One command is what a person would have run here: its output is what they wait for.
    if (file !== undefined) return exitCodes[await follow(client, submitted.set, io, { ...options, giveUpMs })];
    const task = `${submitted.set}/${options.id ?? "task"}`;
    let written: Written | undefined;
    const onOutput = (all: Written) => {
      written = all;
    };
    const end = await follow(client, submitted.set, io, { ...options, outputOf: task, onOutput, giveUpMs });
    if (end === "detached" || end === "gaveUp") return exitCodes[end];
    return codeOfTask(client, task, written, io);
  });
}

/** `berth watch`: follows a set that was submitted before. */
export function watch(set: string, options: GlobalOptions & { giveUp: string }, io: Io): Promise<number> {
  const giveUpMs = durationFlag("--give-up", options.giveUp);
  return withClient(
    options,
    io,
    async (client) => exitCodes[await follow(client, await setOf(client, set, io), io, { ...options, giveUpMs })],
  );
}

/** `berth submit`: submits and leaves. */
export async function submit(
  file: string | undefined,
  command: readonly string[],
  options: GlobalOptions & SubmissionOptions,
  io: Io,
): Promise<number> {
  const submission = readSubmission(file, command, options, io);
  return withClient(options, io, async (client) => {
    const submitted = await submitTasks(client, submission, options, io);
    rememberLastSet(client, io.environment, submitted.set);
    if (options.json === true) printJson(io, submitted);
    else {
      const words = submitted.repeated ? "had already been submitted as" : "submitted as";
      say(io, `${tasksOf(submitted.taskCount)} ${words} set ${submitted.set}`);
      say(io, `follow: ${hint(io, `watch ${submitted.set}`)}   list: ${hint(io, `tasks --set ${submitted.set}`)}`);
    }
    return 0;
  });
}

function tasksOf(count: number): string {
  return count === 1 ? "1 task" : `${count} tasks`;
}
