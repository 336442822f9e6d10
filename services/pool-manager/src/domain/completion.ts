import type { Known } from "./bids.js";
import { type Lease, type Outcome, outcomeMark, type ReleaseReason } from "./lease.js";
import type { Held } from "./ledger.js";
import { release } from "./release.js";
import type { State, Turn } from "./state.js";

/** What a runner says of the end of one lease. */
export interface Completion {
  readonly lease: string;
  readonly token: number;
  readonly outcome: Outcome;
  /** W3C traceparent; empty or absent without tracing. */
  readonly traceParent?: string;
}

/** Finished leases that the caller read, by id, and `Recent.sequence` when it looked into the memory. */
export interface KnownById {
  readonly leases: ReadonlyMap<string, Lease>;
  readonly mark: number;
}

/** Puts what the caller read in order. */
export function byId(known: Known): KnownById {
  return { leases: new Map(known.leases.map((lease) => [lease.id, lease])), mark: known.mark };
}

/** What became of it. REREAD asks the caller to read the lease from the store and to try again. */
export type CompletionVerdict = "APPLIED" | "REPEATED" | "LATE" | "STALE" | "REREAD";

/**
 * Applies one outcome. It competes with expiry for one record: whichever is decided first wins. After the release the outcome is kept
 * as a late result, once; a repeat gets the answer that the first one got.
 */
export function complete(
  state: State,
  turn: Turn,
  runner: string,
  item: Completion,
  known: KnownById,
): CompletionVerdict {
  const held = state.ledger.leases.get(item.lease);
  if (held) {
    if (held.lease.token !== item.token || held.lease.runner !== runner) return stale(state, turn, runner, item);
    release(state, turn, held, reasonOf(held, item.outcome), item.outcome, item.traceParent);
    return "APPLIED";
  }
  const whole = state.recent.unwritten.get(item.lease) ?? known.leases.get(item.lease);
  const short = state.recent.get(item.lease);
  const found = whole ?? short;
  // Between the caller's look and this decision it may have been forgotten, or forgotten with a late result that the caller didn't see.
  if (!short && state.recent.forgottenThrough > known.mark) return "REREAD";
  if (!found) {
    state.staleRefused++;
    return "STALE";
  }
  if (found.token !== item.token || found.runner !== runner) return stale(state, turn, runner, item);
  const mark = outcomeMark(item.outcome);
  const earlier = short ?? { mark: outcomeMark(whole?.outcome), lateMark: outcomeMark(whole?.lateOutcome) };
  if (earlier.mark === mark || earlier.lateMark === mark) return "REPEATED";
  if (earlier.lateMark !== "") return "LATE";
  if (!whole) return "REREAD";
  return late(state, turn, whole, item);
}

function late(state: State, turn: Turn, lease: Lease, { outcome, traceParent }: Completion): CompletionVerdict {
  const kept: Lease = { ...lease, lateOutcome: outcome, traceParent: traceParent || lease.traceParent };
  state.recent.add(kept);
  turn.changes.push({ k: "lease", e: "LATE_RESULT", l: kept });
  return "LATE";
}

/** S3: nothing changes, and it is recorded. */
function stale(state: State, turn: Turn, runner: string, item: Completion): CompletionVerdict {
  state.staleRefused++;
  turn.changes.push({ k: "stale", lease: item.lease, token: item.token, runner });
  return "STALE";
}

function reasonOf({ lease }: Held, outcome: Outcome): ReleaseReason {
  if (outcome.result === "NOT_STARTED") return "NOT_STARTED";
  if (outcome.result === "STOPPED" && lease.revokeReason !== "") return "REVOKED";
  return "COMPLETED";
}
