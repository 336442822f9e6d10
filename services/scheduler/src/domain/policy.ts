import type { ReadyTask } from "./task.js";

/** Says in which order ready tasks are tried. */
export interface Policy {
  /** Its name in configuration and answers. */
  readonly name: string;
  /** Rank of a task: a safe integer, smallest first. Equal ranks are ordered by the name of the task. */
  rank(task: ReadyTask): number;
}

/** Room for the sequence below one step of priority: a trillion tasks. */
const sequenceSpan = 2 ** 40;
const priorityMost = 1_000;

/**
 * Larger priority first; within a priority whoever became ready first. `(1000 - priority) * 2^40 + sequence` stays a safe integer for
 * priorities of -1,000 to 1,000; whatever lies outside is taken as the nearest of them.
 */
export const priorityPolicy: Policy = {
  name: "priority",
  rank({ priority, sequence }) {
    const bounded = Math.min(priorityMost, Math.max(-priorityMost, priority));
    return (priorityMost - bounded) * sequenceSpan + Math.min(sequence, sequenceSpan - 1);
  },
};

/** Every policy there is, by name. */
export const policies: Readonly<Record<string, Policy>> = { priority: priorityPolicy };
