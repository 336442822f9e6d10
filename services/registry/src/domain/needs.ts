import type { FinalState } from "./task.js";

/** When a need is met: by a success, by a failure (FAILED only), or by any end, SKIPPED and CANCELLED among them. */
export type NeedCondition = "succeeded" | "failed" | "ended";

/** Conditions by the id of the needed task; a need that isn't there must succeed. */
export type NeedConditions = Readonly<Record<string, NeedCondition>>;

/** No condition of its own for any need: shared, because nearly every task has none. */
export const mustSucceed: NeedConditions = Object.freeze({});

/** Whether a final state meets a need. */
export function meets(state: FinalState, condition: NeedCondition): boolean {
  switch (condition) {
    case "succeeded":
      return state === "SUCCEEDED";
    case "failed":
      return state === "FAILED";
    case "ended":
      return true;
  }
}

/** The condition of one need. */
export function conditionOf(conditions: NeedConditions, need: string): NeedCondition {
  return conditions[need] ?? "succeeded";
}

/** Why a task is skipped for a need that ended in `state`, in the words of the glossary. */
export function unmetText(need: string, condition: NeedCondition, state: FinalState): string {
  return condition === "failed"
    ? `needs ${need} to fail, but it ${endWords[state]}`
    : `needs ${need}, which ${endWords[state]}`;
}

const endWords: Readonly<Record<FinalState, string>> = {
  SUCCEEDED: "succeeded",
  FAILED: "failed",
  CANCELLED: "was cancelled",
  SKIPPED: "was skipped",
};
