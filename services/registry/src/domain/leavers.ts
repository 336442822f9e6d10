import type { TaskState } from "./task.js";

/** Most leavers that are remembered. */
export const leaversMax = 20_000;

/**
 * What has left the memory lately. Facts are read from rows before a command is decided; a task that was live at the reading and has
 * left since would be in neither. `drops` counts the leavings; facts carry the count of their reading.
 */
export class Leavers {
  /** Tasks that have left so far. */
  drops = 0;
  private readonly states = new Map<string, { readonly state: TaskState; readonly at: number }>();
  /** Number of the latest leaving of each set. */
  private readonly sets = new Map<string, number>();
  /** Who left, by the number of the leaving modulo the bound. Asking a map for its first key would step over all that were deleted. */
  private readonly left: { readonly key: string; readonly set: string }[] = [];

  /** Notes that a task of a set left in a state. */
  add(key: string, set: string, state: TaskState): void {
    const at = ++this.drops;
    const place = at % leaversMax;
    const oldest = this.left[place];
    // What left again since is remembered under its later leaving.
    if (oldest && this.states.get(oldest.key)?.at === at - leaversMax) this.states.delete(oldest.key);
    if (oldest && this.sets.get(oldest.set) === at - leaversMax) this.sets.delete(oldest.set);
    this.left[place] = { key, set };
    this.states.set(key, { state, at });
    this.sets.set(set, at);
  }

  /** Final state of a task that left after the reading; undefined if it didn't. */
  since(key: string, drops: number): TaskState | undefined {
    const left = this.states.get(key);
    return left && left.at > drops ? left.state : undefined;
  }

  /** True if a task of the set left after the reading. */
  leftSet(set: string, drops: number): boolean {
    return (this.sets.get(set) ?? 0) > drops;
  }

  /** True if so many have left since the reading that some are no longer remembered. */
  forgot(drops: number): boolean {
    return this.drops - drops > leaversMax;
  }
}
