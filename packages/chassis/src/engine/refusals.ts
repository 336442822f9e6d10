import { ReasonError } from "@berth/wire/grpc";
import type { EngineState } from "./engine.js";

/** What a refusal depends on. */
export interface Situation {
  readonly state: EngineState;
  /** Commands that wait, and how many may. */
  readonly queued: number;
  readonly most: number;
  /** Why the last commit failed. */
  readonly stall: string;
}

/** Why an engine takes no command now; undefined if it does. */
export function refusalOf(name: string, { state, queued, most, stall }: Situation): ReasonError | undefined {
  switch (state) {
    case "new":
    case "loading":
      return new ReasonError("NOT_READY", `the ${name} is still loading; try again`, { retryAfterMs: 200 });
    case "failed":
    case "stopped":
      return new ReasonError("NOT_READY", `the ${name} is stopping; try again`, { retryAfterMs: 1_000 });
    case "stalled":
      return stalled(name, stall);
    case "running":
      if (queued < most) return undefined;
      return new ReasonError("QUEUE_FULL", `the ${name} has ${most} commands waiting, its bound; try again`, {
        retryAfterMs: 100,
      });
  }
}

/** A commit is tried again and again, and others wait behind it. */
export function stalled(name: string, why: string): ReasonError {
  return new ReasonError(
    "STORE_STALLED",
    `the ${name} can't commit at the moment: ${why}. The request may still take effect: repeat it with the same request id`,
    { retryAfterMs: 1_000 },
  );
}

/** This process won't answer any more. */
export function over(name: string): ReasonError {
  return new ReasonError(
    "NOT_READY",
    `the ${name} has stopped, or lost its leadership or its store, before this was known to be done. It may still have taken effect: repeat it with the same request id`,
    { retryAfterMs: 1_000 },
  );
}
