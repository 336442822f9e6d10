// Failures are named above the board as they happen; a set of thousands that all fail mustn't scroll the terminal away.
import { registry } from "@berth/contracts";

const namedMost = 20;

/** Says which changes to name above a board. */
export class Failures {
  #named = 0;

  /** True for a task that has just failed, the first twenty times. */
  toName(task: registry.Task, before: registry.Task | undefined): boolean {
    const failed = registry.Task_State.FAILED;
    if (task.state !== failed || before?.state === failed || this.#named === namedMost) return false;
    this.#named += 1;
    return true;
  }
}
