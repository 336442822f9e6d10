import type { ReadyTask } from "./task.js";

/** All that a policy may look at. A task is ranked anew when one of these changes and at no other time, so nothing else may decide its rank. */
export type RankInputs = Pick<
  ReadyTask,
  | "task"
  | "attempt"
  | "pools"
  | "labels"
  | "limits"
  | "tenant"
  | "priority"
  | "sequence"
  | "cpuMillis"
  | "memoryBytes"
  | "handler"
>;

/** An order of trial. It holds no state itself: {@link Ranking} does. */
export interface Policy {
  /** Its name in configuration and answers. */
  readonly name: string;
  /**
   * True if a larger priority always ranks before a smaller one. Then the first of a class has its largest priority, and a reserve that
   * refuses it refuses all of the class; otherwise classes are split by priority.
   */
  readonly priorityFirst: boolean;
  /** Makes the state that the ranks rest on, empty. */
  begin(): Ranking;
}

/**
 * A policy at work: a state machine without clock or chance. Each attempt is ranked, granted at most once, and ended, in this order;
 * one whose inputs change is ended and ranked anew. What it keeps of an attempt must go when that is ended.
 */
export interface Ranking {
  /** Rank of a task: a safe integer, smallest first. It holds until `ended`. Equal ranks are ordered by the name of the task. */
  rank(task: RankInputs): number;
  /** The attempt has a lease. */
  granted(task: RankInputs): void;
  /** The attempt is begun, over or cancelled, or will be ranked anew. It comes with the inputs that were ranked. */
  ended(task: RankInputs): void;
}

/** Room for the sequence below one step of priority: a trillion tasks. */
const sequenceSpan = 2 ** 40;
const priorityMost = 1_000;

/** The ranking of a policy that looks at nothing but the task itself. */
function stateless(rank: Ranking["rank"]): Ranking {
  return { rank, granted: () => undefined, ended: () => undefined };
}

/**
 * Larger priority first; within a priority whoever became ready first. `(1000 - priority) * 2^40 + sequence` stays a safe integer for
 * priorities of -1,000 to 1,000; whatever lies outside is taken as the nearest of them.
 */
export const priorityPolicy: Policy = {
  name: "priority",
  priorityFirst: true,
  begin: () =>
    stateless(({ priority, sequence }) => {
      const bounded = Math.min(priorityMost, Math.max(-priorityMost, priority));
      return (priorityMost - bounded) * sequenceSpan + Math.min(sequence, sequenceSpan - 1);
    }),
};

/** Every policy there is, by name. */
export const policies: Readonly<Record<string, Policy>> = { priority: priorityPolicy };

/** Their names, as configuration takes them. */
export const policyNames = Object.keys(policies) as [string, ...string[]];
