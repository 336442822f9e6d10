import type { Block } from "./admission.js";
import { goesBefore, type RefusalReason } from "./bid.js";
import { curableByKeeping } from "./constraints.js";
import type { Demand } from "./demand.js";
import type { Lease } from "./lease.js";
import { fits } from "./limits.js";
import type { Queue, StandingBid } from "./standing.js";
import type { State } from "./state.js";

/** Refusals that keeping limits for the bid can cure. */
const curable: ReadonlySet<RefusalReason> = new Set<RefusalReason>([...curableByKeeping, "RUNNERS_FULL", "NO_SLOT"]);

/**
 * Notes what refuses the head of a class, and with it the whole class, and keeps it for the first of them that was overtaken too often.
 *
 * Of each acceptable pool in which waiting can help, all that refuses is kept, because nobody knows which of them will have room first. What
 * was kept before stays kept while something else is missing: given back, it could be lost again and again, as two locks that are never
 * free at once.
 */
export function refuse(state: State, queue: Queue, blocks: readonly Block[]): void {
  const { standing } = state;
  const keys = [...new Set(blocks.map((block) => block.key))];
  const keepable = keepableLimits(queue.demand, blocks);
  // What it waited for before, and has room now that can't be used, because something else is missing: whoever takes that overtakes it too.
  const offered = keepable && [...queue.keepable, ...queue.offered].filter((limit) => !keepable.includes(limit));
  standing.block(queue, keys, keepable ?? [], offered ?? []);
  // Something that waiting can't cure is in the way: what was kept would only lie idle.
  if (!keepable) return standing.releaseClass(queue);
  keepForDue(state, queue);
}

/** Keeps limits for the first bid of a class that was overtaken too often. */
function keepForDue({ standing }: State, queue: Queue): void {
  const due = queue.firstDue();
  if (due) standing.keep(due, [...queue.keepable, ...queue.offered]);
}

/** The limits to keep for a bid, over all its pools in which keeping them can help; undefined if it can in none. */
function keepableLimits(demand: Demand, blocks: readonly Block[]): readonly string[] | undefined {
  const concern = (pool: string): readonly Block[] =>
    blocks.filter((block) => block.pool === "" || block.pool === pool);
  const helpful = demand.pools
    .map(({ pool }) => concern(pool))
    .filter((inTheWay) => inTheWay.every((block) => curable.has(block.reason)));
  if (helpful.length === 0) return undefined;
  return [...new Set(helpful.flat().flatMap(({ limit }) => (limit === "" ? [] : [limit])))];
}

/**
 * Counts a grant against every bid before it that waits for a limit of which it takes: because that limit refuses the bid, or because it had
 * been waited for, had room at last, and now has too little again.
 */
export function countOvertakings(state: State, lease: Lease, granted: StandingBid): void {
  const { standing } = state;
  const counted = new Set<Queue>();
  const count = (queue: Queue): void => {
    const head = queue.head();
    if (counted.has(queue) || !head || !goesBefore(head, granted)) return;
    counted.add(queue);
    queue.overtakenBy(granted);
    keepForDue(state, queue);
  };
  for (const [limit] of lease.weights) {
    for (const queue of standing.betterBlockedAt(limit, granted.rank)) if (queue.keepable.includes(limit)) count(queue);
    for (const queue of standing.offeredAt(limit)) if (!hasRoom(state, queue.demand, limit)) count(queue);
  }
}

function hasRoom(state: State, demand: Demand, name: string): boolean {
  const limit = state.limits.get(name);
  const weights = [demand.common, ...demand.pools.map((option) => option.weights)].flat();
  const wanted = weights.find(([one]) => one === name)?.[1] ?? 0;
  return !limit || fits(limit, state.ledger.used(name), wanted);
}
