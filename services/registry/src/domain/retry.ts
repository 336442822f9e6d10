import type { Filter, Outcome, RowFacts } from "./commands.js";
import { enterStored } from "./enter.js";
import { matcher } from "./filter.js";
import { isFinal, type TaskSnapshot, taskKey } from "./task.js";
import type { Transition } from "./transition.js";

/**
 * Lets tasks that ended FAILED, CANCELLED or SKIPPED begin anew with a fresh budget, and with them what was skipped for them. The facts hold every
 * such task of the sets concerned. One that needs a task which isn't done and doesn't begin anew stays as it is.
 */
export function retry(transition: Transition, filter: Filter, facts: RowFacts): Outcome {
  const { memory } = transition;
  if (memory.leavers.drops !== facts.drops) return { kind: "stale" };
  const stored = new Map<string, TaskSnapshot>();
  for (const row of facts.rows) if (!memory.tasks.has(row.header.key)) stored.set(row.header.key, row);
  for (const task of memory.tasks.values()) if (isFinal(task.status.state)) return { kind: "stale" };

  const matches = matcher(filter);
  const chosen = [...stored.values()]
    .filter((row) => row.status.state !== "SUCCEEDED" && matches(row))
    .map((row) => row.header.key);
  const reviving = withdrawImpossible(withSkipped(chosen, stored), stored);
  for (const record of facts.sets ?? []) if (!memory.sets.has(record.set)) memory.addSet(record);
  const tasks = [...reviving].map((key) => enterStored(transition, stored.get(key) as TaskSnapshot));
  for (const task of tasks) {
    memory.revive(task);
    const fresh = {
      failureCount: 0,
      lossCount: 0,
      idleCount: 0,
      endMs: 0,
      startMs: 0,
      progress: 0,
      progressMessage: "",
      forbid: null,
    };
    transition.update(task, { ...fresh, state: "PENDING", reason: "retried" }, null, [["TaskRetried"]]);
  }
  for (const task of tasks) {
    memory.link(task);
    if (task.waits.size === 0) transition.makeReady(task);
  }
  const retried = chosen.filter((key) => reviving.has(key)).length;
  return { kind: "counted", changed: reviving.size, unchanged: chosen.length - retried, unknown: 0 };
}

/** The chosen, and every SKIPPED task that directly or indirectly needs one of them. */
function withSkipped(chosen: readonly string[], stored: ReadonlyMap<string, TaskSnapshot>): Set<string> {
  const neededBy = new Map<string, string[]>();
  for (const [key, { header, status }] of stored) {
    if (status.state !== "SKIPPED") continue;
    for (const need of header.needs) {
      const needKey = taskKey(header.set, need);
      neededBy.set(needKey, [...(neededBy.get(needKey) ?? []), key]);
    }
  }
  const found = new Set(chosen);
  for (const key of found) for (const dependent of neededBy.get(key) ?? []) found.add(dependent);
  return found;
}

/** Takes out, again and again, whatever needs a task that ended badly and stays so. */
function withdrawImpossible(keys: Set<string>, stored: ReadonlyMap<string, TaskSnapshot>): Set<string> {
  for (let before = -1; before !== keys.size; ) {
    before = keys.size;
    for (const key of keys) {
      const { header } = stored.get(key) as TaskSnapshot;
      const impossible = header.needs.some((need) => {
        const needKey = taskKey(header.set, need);
        return stored.has(needKey) && stored.get(needKey)?.status.state !== "SUCCEEDED" && !keys.has(needKey);
      });
      if (impossible) keys.delete(key);
    }
  }
  return keys;
}
