// Orders tasks so that nothing comes before what it needs.

interface Node {
  readonly id: string;
  readonly needs: readonly string[];
}

/**
 * Sorts tasks so that each comes after the ones it needs, keeping the given order where that allows. Needs that name none of
 * the tasks are taken as met. Tasks that wait for each other in a circle are left out, with what waits for them.
 */
export function inOrder<T extends Node>(tasks: readonly T[]): T[] {
  const known = new Map(tasks.map((task) => [task.id, task]));
  const waiting = new Map<string, number>();
  const dependents = new Map<string, string[]>();
  for (const task of tasks) {
    const needs = new Set(task.needs.filter((need) => known.has(need)));
    waiting.set(task.id, needs.size);
    for (const need of needs) {
      const list = dependents.get(need);
      if (list === undefined) dependents.set(need, [task.id]);
      else list.push(task.id);
    }
  }
  const sorted: T[] = tasks.filter((task) => waiting.get(task.id) === 0);
  for (let index = 0; index < sorted.length; index += 1) {
    for (const id of dependents.get(sorted[index]?.id ?? "") ?? []) {
      const left = (waiting.get(id) ?? 0) - 1;
      waiting.set(id, left);
      const task = known.get(id);
      if (left === 0 && task !== undefined) sorted.push(task);
    }
  }
  return sorted;
}

/** A circle of needs, first id repeated at the end, such as `a, b, a`: a needs b and b needs a. Undefined if there is none. */
export function findCycle(tasks: readonly Node[]): string[] | undefined {
  const placed = new Set(inOrder(tasks).map((task) => task.id));
  const stuck = new Map(tasks.filter((task) => !placed.has(task.id)).map((task) => [task.id, task]));
  // Everything that is left needs something that is left, so walking along the needs must come round.
  const path: string[] = [];
  const seen = new Map<string, number>();
  let at: string | undefined = stuck.keys().next().value;
  while (at !== undefined) {
    const before = seen.get(at);
    if (before !== undefined) return [...path.slice(before), at];
    seen.set(at, path.length);
    path.push(at);
    at = stuck.get(at)?.needs.find((need) => stuck.has(need));
  }
  return undefined;
}
