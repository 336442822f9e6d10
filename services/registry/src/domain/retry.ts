import type { Counted, Filter, RetryFacts, Stale } from "./commands.js";
import { enterStored } from "./enter.js";
import { matcher } from "./filter.js";
import type { Memory } from "./memory.js";
import { conditionOf, meets } from "./needs.js";
import { type FinalState, isFinal, type TaskSnapshot, taskKey } from "./task.js";
import type { Transition } from "./transition.js";

/**
 * Lets tasks that ended FAILED, CANCELLED or SKIPPED begin anew with a fresh budget, and with them what was skipped for them. The facts hold every
 * such task of the sets concerned. One that needs a task which doesn't begin anew, and whose end doesn't meet the need, stays as it is.
 */
export function retry(transition: Transition, filter: Filter, facts: RetryFacts): Counted | Stale {
  const { memory } = transition;
  // What left the memory after the reading, or is about to, would be in neither. Only the sets concerned count: on a busy registry some task
  // of another is always leaving.
  const sets = new Set(facts.sets.map(({ set }) => set));
  const left = [...sets].some((set) => memory.leavers.leftSet(set, facts.drops));
  const leaves = [...memory.leaving.values()].some(({ header }) => sets.has(header.set));
  if (left || leaves || memory.leavers.forgot(facts.drops)) return { kind: "stale" };
  const stored = new Map<string, TaskSnapshot>();
  for (const row of facts.rows) if (!memory.tasks.has(row.header.key)) stored.set(row.header.key, row);

  const matches = matcher(filter);
  const chosen = [...stored.values()]
    .filter((row) => row.status.state !== "SUCCEEDED" && matches(row))
    .map((row) => row.header.key);
  const reviving = withdrawImpossible(withSkipped(chosen, stored), stored, memory);
  // A set lives by its tasks: one of which nothing begins anew would stay in memory for ever, and its limits with it.
  const lives = new Set([...reviving].map((key) => (stored.get(key) as TaskSnapshot).header.set));
  for (const record of facts.sets) if (lives.has(record.set) && !memory.sets.has(record.set)) memory.addSet(record);
  const tasks = [...reviving].map((key) => enterStored(transition, stored.get(key) as TaskSnapshot));
  for (const task of tasks) {
    memory.revive(task);
    const fresh = {
      failureCount: 0,
      lossCount: 0,
      idleCount: 0,
      sequence: 0,
      overtaken: 0,
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
  const dependents = dependentsOf([...stored].filter(([, { status }]) => status.state === "SKIPPED"));
  const found = new Set(chosen);
  for (const key of found) for (const dependent of dependents.get(key) ?? []) found.add(dependent);
  return found;
}

/** Who needs each task, by its key. */
function dependentsOf(tasks: Iterable<[string, TaskSnapshot]>): Map<string, string[]> {
  const dependents = new Map<string, string[]>();
  for (const [key, { header }] of tasks) {
    for (const need of header.needs) {
      const needKey = taskKey(header.set, need);
      const list = dependents.get(needKey);
      if (list) list.push(key);
      else dependents.set(needKey, [key]);
    }
  }
  return dependents;
}

/** Takes out whatever has a need that the end of a task which stays as it is doesn't meet, and what needs that. */
function withdrawImpossible(keys: Set<string>, stored: ReadonlyMap<string, TaskSnapshot>, memory: Memory): Set<string> {
  // A final task that is neither among the rows nor live has succeeded.
  const endOf = (key: string): FinalState | undefined => {
    if (keys.has(key)) return undefined;
    const state = stored.get(key)?.status.state ?? memory.tasks.get(key)?.status.state ?? "SUCCEEDED";
    return isFinal(state) ? state : undefined;
  };
  const isImpossible = (key: string): boolean => {
    const { set, needs, needConditions } = (stored.get(key) as TaskSnapshot).header;
    return needs.some((need) => {
      const end = endOf(taskKey(set, need));
      return end !== undefined && !meets(end, conditionOf(needConditions, need));
    });
  };
  const dependents = dependentsOf([...keys].map((key) => [key, stored.get(key) as TaskSnapshot]));
  const open = [...keys];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (!keys.has(key) || !isImpossible(key)) continue;
    keys.delete(key);
    open.push(...(dependents.get(key) ?? []));
  }
  return keys;
}
