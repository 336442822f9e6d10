import { admit, type Placement } from "./admission.js";
import { goesBefore } from "./bid.js";
import { Heap } from "./heap.js";
import type { Lease } from "./lease.js";
import { fits } from "./limits.js";
import { countOvertakings, refuse } from "./overtaking.js";
import { limitNames } from "./pool.js";
import type { Queue, StandingBid } from "./standing.js";
import type { State, Turn } from "./state.js";

/**
 * Grants what can be granted. Only classes that something happened to are looked at, in the order of their heads; a class whose head is
 * refused is left, so that a saturated limit never blocks another. A class that isn't looked at is still refused by what refused it.
 *
 * Every lease weighs 1 in the limit global. So once that is full nothing can be granted, and whoever is still to be looked at is set aside
 * in order, to be looked at one by one as it gets room.
 */
export function grantPass(state: State, turn: Turn): void {
  const { standing } = state;
  if (state.stopReason !== "" || !(standing.hasAwake || (standing.bestParked() && globalHasRoom(state)))) return;
  const waiting = new Heap<{ queue: Queue; head: StandingBid }>((left, right) => goesBefore(left.head, right.head));
  const inside = new Set<Queue>();
  const fill = (): void => {
    for (const queue of standing.takeAwake()) {
      const head = queue.head();
      if (!head || inside.has(queue)) continue;
      inside.add(queue);
      waiting.push({ queue, head });
    }
  };
  fill();
  for (;;) {
    if (!globalHasRoom(state)) {
      for (let next = waiting.pop(); next; next = waiting.pop()) standing.park(next.queue, next.head);
      return;
    }
    const parked = standing.bestParked();
    const first = waiting.peek();
    const next = parked && (!first || goesBefore(parked.head, first.head)) ? parked : first;
    if (!next) return;
    if (next === parked) standing.takeParked();
    else waiting.pop();
    const { queue, head } = next;
    inside.delete(queue);
    const admission = admit(state, queue.demand, head, turn.now);
    if ("placement" in admission) {
      standing.unblock(queue);
      standing.removeGranted(head);
      const lease = grant(state, turn, head, admission.placement);
      countOvertakings(state, lease, head);
      const following = queue.head();
      if (following) {
        inside.add(queue);
        waiting.push({ queue, head: following });
      }
    } else {
      refuse(state, queue, admission.blocks);
    }
    if (standing.hasAwake) fill();
  }
}

function globalHasRoom(state: State): boolean {
  const limit = state.limits.get(limitNames.global);
  return !limit || fits(limit, state.ledger.used(limitNames.global), 1);
}

/** Makes the lease. The token is the number of the grant, so it only grows. */
function grant(
  state: State,
  turn: Turn,
  { bid, overtaken }: StandingBid,
  { pool, session, slot, weights }: Placement,
): Lease {
  const token = ++state.totals.granted;
  const lease: Lease = {
    id: `${state.meta.dataId}-${token.toString(36)}`,
    task: bid.task,
    attempt: bid.attempt,
    token,
    state: "ACTIVE",
    pool,
    runner: session.record.runner,
    incarnation: session.record.incarnation,
    slot,
    tenant: bid.tenant,
    weights,
    grantMs: turn.now.wallMs,
    revokeReason: "",
    startMs: undefined,
    releaseMs: undefined,
    reason: undefined,
    outcome: undefined,
    lateOutcome: undefined,
    traceParent: bid.traceParent,
    ...(overtaken > 0 && { overtaken }),
    ordinal: 0,
  };
  state.ledger.put(lease, turn.now.monoMs);
  for (const [name] of weights) {
    const limit = state.limits.get(name);
    if (limit && limit.rate > 0) state.starts.add(limit, turn.now.wallMs);
  }
  turn.changes.push({ k: "lease", e: "GRANTED", l: lease });
  return lease;
}
