// What holds many tasks back: one question for each class, since whatever refuses one of a class refuses all of it.
import type { SchedulerCore } from "./core.js";
import type { Entry, TaskClass } from "./entry.js";
import type { RefusalFacts } from "./explain.js";

/** Classes that one answer asks the pool-manager about; those beyond it only wait "for other reasons". */
const classesMost = 64;

/** Queued tasks of one class. */
export interface WaitingClass {
  readonly class: TaskClass;
  /** The one to ask about: the first to be tried of those that were looked for. */
  readonly first: Entry;
  readonly count: number;
}

/** Queued tasks, by what can be asked about them. */
export interface Waiting {
  /** The classes with most tasks, most first. */
  readonly classes: readonly WaitingClass[];
  /** Tasks of further classes. */
  readonly unasked: number;
  /** Tasks whose bid was refused for good, to be tried again in a while. */
  readonly aside: number;
}

/** Looks at every task in a queue once: about a millisecond for 100,000. `set` empty: of every set. */
export function waitingOf(core: SchedulerCore, set: string): Waiting {
  const found = new Map<TaskClass, { first: Entry; count: number }>();
  let aside = 0;
  for (const entry of core.entries.values()) {
    if (set !== "" && !entry.name.startsWith(`${set}/`)) continue;
    if (entry.phase === "aside") aside += 1;
    else if (entry.phase !== "granted" && entry.phase !== "recovering") {
      const one = found.get(entry.class);
      if (one === undefined) found.set(entry.class, { first: entry, count: 1 });
      else {
        one.count += 1;
        if (entry.rank < one.first.rank) one.first = entry;
      }
    }
  }
  const all = [...found].map(([of, { first, count }]) => ({ class: of, first, count }));
  // Equal counts in the order of keys, so that the same queue gives the same answer.
  all.sort((left, right) => right.count - left.count || (left.class.key < right.class.key ? -1 : 1));
  const beyond = all.slice(classesMost);
  return {
    classes: all.slice(0, classesMost),
    unasked: beyond.reduce((sum, { count }) => sum + count, 0),
    aside,
  };
}

/** Words for what no refusal names. */
export const otherCauses = {
  aside: "bid refused, will be tried again",
  unasked: "other reasons",
  unanswered: "the pool-manager doesn't answer",
  turn: "next in turn",
} as const;

/** The first thing that refuses, in few words: `api:llm 2/2`, `pool full`. Without a refusal it is only its turn. */
export function shortCause(refusals: readonly RefusalFacts[]): string {
  // What can't pass by itself comes before what only has to drain.
  const first = [...refusals].sort((left, right) => weightOf(left) - weightOf(right))[0];
  if (first === undefined) return otherCauses.turn;
  const { limit, pool, used, capacity, wanted, reason } = first;
  const name = limit.startsWith("pool:") ? limit.slice("pool:".length).replace(":", " ") : limit || pool;
  switch (reason) {
    case "LIMIT_FULL":
      return limit === `pool:${pool}` || /^pool:[^:]*$/.test(limit)
        ? `pool ${name} full`
        : `${name} ${used}/${capacity}`;
    case "LIMIT_TOO_SMALL":
      return `${name} too small: needs ${wanted} of ${capacity}`;
    case "KEPT_FOR_ANOTHER":
      return `${name} kept for an overtaken task`;
    case "RESERVED":
      return `${name} reserved for higher priorities`;
    case "RATE_SPENT":
      return `${name} starts spent`;
    case "NO_RUNNER":
      return pool === "" ? "no runner" : `no runner in ${pool}`;
    case "RUNNERS_FULL":
      return pool === "" ? "runners full" : `runners of ${pool} full`;
    case "POOL_PAUSED":
      return `pool ${pool} paused`;
    case "NO_SLOT":
      return `no slot in ${pool}`;
    case "GRANTING_STOPPED":
      return "granting stopped";
    default:
      return `${name} ${reason.toLowerCase().replaceAll("_", " ")}`.trim();
  }
}

/** Smaller is told first: then a limit of somebody's own before those that everybody shares. */
function weightOf({ reason, limit }: RefusalFacts): number {
  if (lasting.has(reason)) return 0;
  if (limit === "global") return 3;
  return limit === "" || limit.startsWith("pool:") ? 2 : 1;
}

const lasting = new Set(["GRANTING_STOPPED", "POOL_PAUSED", "NO_RUNNER", "LIMIT_TOO_SMALL"]);
