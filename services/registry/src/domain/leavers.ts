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
  /** Number of the latest leaving of each set, the latest last. */
  private readonly sets = new Map<string, number>();

  /** Notes that a task of a set left in a state. */
  add(key: string, set: string, state: TaskState): void {
    this.states.delete(key);
    this.states.set(key, { state, at: ++this.drops });
    if (this.states.size > leaversMax) this.states.delete(this.states.keys().next().value as string);
    this.sets.delete(set);
    this.sets.set(set, this.drops);
    if (this.sets.size > leaversMax) this.sets.delete(this.sets.keys().next().value as string);
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
