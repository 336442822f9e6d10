import type { Lease, Outcome, ReleaseReason } from "./lease.js";
import type { Held } from "./ledger.js";
import { poolKey, slotFreed } from "./runners.js";
import type { State, Turn } from "./state.js";

/** Replaces the record of an occupying lease and notes the change. */
export function change(
  state: State,
  turn: Turn,
  held: Held,
  event: "STARTED" | "REVOKING" | "EXPIRED",
  patch: Partial<Lease>,
): void {
  state.ledger.replace(held, { ...held.lease, ...patch });
  turn.changes.push({ k: "lease", e: event, l: held.lease });
}

/** Asks for the end of a lease. It occupies until its run is known to be dead. */
export function revoke(state: State, turn: Turn, held: Held, reason: string): void {
  if (held.lease.state !== "ACTIVE") return;
  change(state, turn, held, "REVOKING", { state: "REVOKING", revokeReason: reason });
}

/** Releases a lease: the only way out of the ledger. What it occupied is free in this very decision. */
export function release(
  state: State,
  turn: Turn,
  held: Held,
  reason: ReleaseReason,
  outcome?: Outcome,
  traceParent?: string,
): void {
  state.ledger.remove(held);
  const released = ++state.totals.released;
  const startMs = held.lease.startMs ?? outcome?.startMs;
  const lease: Lease = {
    ...held.lease,
    startMs,
    outcome,
    state: "RELEASED",
    reason,
    releaseMs: turn.now.wallMs,
    ordinal: released,
    traceParent: traceParent || held.lease.traceParent,
  };
  state.recent.add(lease);
  turn.changes.push({ k: "lease", e: "RELEASED", l: lease });
  wakeAfter(state, lease);
}

function wakeAfter(state: State, lease: Lease): void {
  const { standing } = state;
  const session = state.sessions.get(lease.runner);
  slotFreed(session, lease.slot);
  for (const [limit] of lease.weights) standing.wake(limit);
  standing.wake(poolKey(lease.pool));
  for (const pool of session?.record.pools ?? []) if (pool !== lease.pool) standing.wake(poolKey(pool));
  standing.wake(poolKey(""));
}
