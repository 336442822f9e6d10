/** A task as the registry has it, as far as the line needs it. */
export interface UnqueuedFacts {
  /** Such as `BACKING_OFF`. */
  readonly state: string;
  readonly attempt: number;
  /** Why it is in this state; empty if the registry doesn't say. */
  readonly reason: string;
  /** Ids of the tasks that it needs. */
  readonly needs: readonly string[];
  /** Runner that holds its lease; empty if none does. */
  readonly runner: string;
  readonly readyTime: Date | undefined;
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
}

const needsShown = 5;

/** Why a task that is in no queue isn't running, or that it is, in one line for people. */
export function explainUnqueued(facts: UnqueuedFacts): string {
  const { state, attempt, reason, needs, runner, readyTime, startTime, endTime } = facts;
  const because = reason === "" ? "" : ` (${reason})`;
  switch (state) {
    case "PENDING":
      return `waits for the tasks that it needs: ${shown(needs)}`;
    case "BACKING_OFF":
      return `attempt ${attempt} failed${because}; the next one is ready${at(readyTime)}`;
    case "READY":
      return "is ready; the scheduler is about to hear of it";
    case "ASSIGNED":
      return `has a lease on runner \`${runner}\`, which is to start it`;
    case "RUNNING":
      return `runs on runner \`${runner}\`${startTime === undefined ? "" : ` since ${startTime.toISOString()}`}`;
    case "CANCELLING":
      return `is being cancelled${because}: its run isn't known to be dead yet`;
    case "SUCCEEDED":
      return `has succeeded${at(endTime)}`;
    case "FAILED":
      return `has failed for good${at(endTime)}${because}`;
    case "CANCELLED":
      return `was cancelled${at(endTime)}${because}`;
    case "SKIPPED":
      return `was skipped${at(endTime)}${because}`;
    default:
      return `is ${state.toLowerCase().replaceAll("_", " ")}${because}`;
  }
}

function at(time: Date | undefined): string {
  return time === undefined ? "" : ` at ${time.toISOString()}`;
}

function shown(needs: readonly string[]): string {
  const rest = needs.length - needsShown;
  return `${needs.slice(0, needsShown).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
