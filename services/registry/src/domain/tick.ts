import type { Counted } from "./commands.js";
import type { Transition } from "./transition.js";

/** Most due tasks that one tick takes. */
export const tickTasksMax = 2_000;

/** Does what is due by the wall clock: the end of back-offs and of waits for a start. */
export function tick(transition: Transition): Counted {
  const { memory, now } = transition;
  let changed = 0;
  for (let count = 0; count < tickTasksMax; count++) {
    const key = memory.due.take(now.wallMs);
    if (key === undefined) break;
    const task = memory.tasks.get(key);
    if (!task) continue;
    changed++;
    if (task.status.state === "BACKING_OFF") transition.makeReady(task);
    else {
      const text = `not started within ${task.header.startTimeoutMs / 1_000} s`;
      const wish = { why: "startTimeout", lateAttempt: 0, answer: "none", text } as const;
      transition.update(task, { reason: `${text}; its attempt is being withdrawn`, forbid: wish }, null, [
        ["StartTimedOut", { message: text }],
      ]);
    }
  }
  return { kind: "counted", changed, unchanged: 0, unknown: 0 };
}
