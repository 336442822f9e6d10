import { LiveTask } from "./memory.js";
import type { TaskSnapshot } from "./task.js";
import type { Transition } from "./transition.js";

/** Takes a stored, final task into memory; it stays until its row is written with this commit, and longer only if it is made to live. */
export function enterStored(transition: Transition, stored: TaskSnapshot): LiveTask {
  const { memory } = transition;
  const { key } = stored.header;
  const present = memory.tasks.get(key);
  if (present) return present;
  const task = new LiveTask(stored);
  memory.tasks.set(key, task);
  memory.entering.add(key);
  transition.changes.push({ kind: "entered", key });
  return task;
}
