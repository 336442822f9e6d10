import type { Query, Sets, Tasks } from "./commands.js";
import { matcher } from "./filter.js";
import type { LiveTask, Memory } from "./memory.js";
import type { TaskSnapshot } from "./task.js";

/** Answers a question about what is in memory. The answer is a copy: it stays as it was at this commit. */
export function read(memory: Memory, query: Query): Tasks {
  switch (query.kind) {
    case "keys":
      return answer(
        memory,
        query.keys.map((key) => memory.tasks.get(key)).filter((task) => task !== undefined),
      );
    case "select": {
      const matches = matcher(query.filter);
      const found = candidates(memory, query.filter.keys).filter(
        (task) => task.header.order < query.beforeOrder && matches(task),
      );
      found.sort((a, b) => b.header.order - a.header.order);
      return answer(memory, found.slice(0, query.max));
    }
    case "changed": {
      const matches = matcher(query.filter);
      const found = candidates(memory, query.filter.keys).filter(
        (task) => task.status.revision > query.afterRevision && matches(task),
      );
      return answer(
        memory,
        found.sort((a, b) => a.status.revision - b.status.revision),
      );
    }
    case "ready": {
      const found = [...memory.tasks.values()].filter(
        (task) => isOffered(task) && task.status.sequence > query.afterSequence,
      );
      found.sort((a, b) => a.status.sequence - b.status.sequence);
      return answer(memory, found.slice(0, query.max));
    }
  }
}

/** The sets of these names that have a task in memory, with the counts of all their tasks. */
export function readSets(memory: Memory, names: readonly string[]): Sets {
  const sets = names.flatMap((name) => memory.sets.get(name) ?? []);
  return {
    kind: "sets",
    sets: sets.map(({ set, displayName, createMs, counts, limits }) => {
      return { set, displayName, createMs, counts: Object.fromEntries(counts), endMs: 0, limits };
    }),
  };
}

/** True for a task that the scheduler should bid for: ready, or assigned and not known to have begun, and not being withdrawn. */
export function isOffered({ status }: Pick<TaskSnapshot, "status">): boolean {
  return (status.state === "READY" || status.state === "ASSIGNED") && status.forbid === null;
}

function candidates(memory: Memory, keys: readonly string[]): LiveTask[] {
  if (keys.length === 0) return [...memory.tasks.values()];
  return keys.map((key) => memory.tasks.get(key)).filter((task) => task !== undefined);
}

function answer(memory: Memory, tasks: readonly LiveTask[]): Tasks {
  return { kind: "tasks", tasks: tasks.map(copyOf), revision: memory.revision };
}

/** A task as it is now. */
export function copyOf({ header, status, attempts, events }: TaskSnapshot): TaskSnapshot {
  return { header, status, attempts: [...attempts], events: [...events] };
}
