/**
 * Finds a cycle among tasks and what they need. Kahn's algorithm, iterative: a graph of any depth is fine.
 *
 * @returns the ids along one cycle, the first repeated at the end (`a, b, c, a`: a needs b, b needs c, c needs a); undefined if there is
 * none. Needs outside the graph are ignored.
 */
export function findCycle(needs: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const open = new Map<string, number>();
  const neededBy = new Map<string, string[]>();
  for (const [id, ids] of needs) {
    const inside = ids.filter((need) => needs.has(need));
    open.set(id, inside.length);
    for (const need of inside) {
      const list = neededBy.get(need);
      if (list) list.push(id);
      else neededBy.set(need, [id]);
    }
  }
  const free = [...open].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    open.delete(id);
    for (const dependent of neededBy.get(id) ?? []) {
      const left = (open.get(dependent) ?? 0) - 1;
      open.set(dependent, left);
      if (left === 0) free.push(dependent);
    }
  }
  // What is left is on a cycle or behind one; from any of it a walk along what it needs must come back to itself.
  const start = open.keys().next().value;
  if (start === undefined) return undefined;
  const path: string[] = [];
  const position = new Map<string, number>();
  for (let id: string = start; ; ) {
    const seen = position.get(id);
    if (seen !== undefined) return [...path.slice(seen), id];
    position.set(id, path.length);
    path.push(id);
    id = (needs.get(id) ?? []).find((need) => open.has(need)) as string;
  }
}
