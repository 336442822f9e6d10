import { admit, refusalsOf } from "./admission.js";
import type { AttemptRef, Bid, Refusal } from "./bid.js";
import { demandOf } from "./demand.js";
import { grantPass } from "./grants.js";
import { attemptKey, type Lease, type Outcome } from "./lease.js";
import { revoke } from "./release.js";
import type { StandingBid } from "./standing.js";
import type { State, Turn } from "./state.js";

/** Finished leases that the caller read from the store before, and `Recent.sequence` when it looked into the memory. */
export interface Known {
  readonly leases: readonly Lease[];
  readonly mark: number;
}

/** What became of a bid. STANDING waits; REREAD asks the caller to read the store anew and to bid again. */
export type BidResult =
  | { readonly verdict: "STANDING" | "REREAD"; readonly key: string }
  | { readonly verdict: "GRANTED"; readonly key: string; readonly lease: Lease }
  | { readonly verdict: "LOST" | "INVALID"; readonly key: string; readonly message: string }
  | { readonly verdict: "REFUSED"; readonly key: string; readonly refusals: readonly Refusal[] };

/** What forbidding an attempt found. */
export type ForbidResult =
  | { readonly found: "NO_LEASE" | "REVOKING" | "REREAD" }
  | { readonly found: "RELEASED"; readonly outcome?: Outcome };

/** Places bids that stay until they are granted, lost or withdrawn. */
export function placeStanding(
  state: State,
  turn: Turn,
  bids: readonly Bid[],
  session: string,
  known: Known,
): BidResult[] {
  const finished = byAttempt(known.leases);
  const results = bids.map((bid) => placeOne(state, bid, session, finished, known.mark));
  grantPass(state, turn);
  return results.map((result) => grantedMeanwhile(state, result));
}

/** Places bids, answers at once, and leaves nothing standing but what stood for a stream before. */
export function placeAndAnswer(state: State, turn: Turn, bids: readonly Bid[], known: Known): BidResult[] {
  const finished = byAttempt(known.leases);
  const results = bids.map((bid) => placeOne(state, bid, "", finished, known.mark));
  grantPass(state, turn);
  const answers = results.map((result) => answerNow(state, turn, grantedMeanwhile(state, result)));
  for (const { key } of answers) {
    const standing = state.standing.get(key);
    if (standing?.session === "") state.standing.remove(standing);
  }
  grantPass(state, turn);
  return answers;
}

function answerNow(state: State, turn: Turn, result: BidResult): BidResult {
  const standing = result.verdict === "STANDING" ? state.standing.get(result.key) : undefined;
  if (!standing) return result;
  return { verdict: "REFUSED", key: result.key, refusals: explain(state, standing.bid, turn, standing) };
}

function grantedMeanwhile(state: State, result: BidResult): BidResult {
  const held = result.verdict === "STANDING" ? state.ledger.byKey.get(result.key) : undefined;
  return held ? { verdict: "GRANTED", key: result.key, lease: held.lease } : result;
}

/** (task, attempt) never gets a second lease. */
function placeOne(
  state: State,
  bid: Bid,
  session: string,
  finished: ReadonlyMap<string, Lease>,
  mark: number,
): BidResult {
  const key = attemptKey(bid.task, bid.attempt);
  const held = state.ledger.byKey.get(key);
  if (held) return { verdict: "GRANTED", key, lease: held.lease };
  if (state.tombstones.has(key)) return { verdict: "LOST", key, message: "the attempt was forbidden" };
  const reason = state.recent.ofAttempt(key)?.reason ?? finished.get(key)?.reason;
  if (reason) return { verdict: "LOST", key, message: `the attempt had a lease, which was released: ${reason}` };
  if (bid.readyMs > 0 && bid.readyMs < state.meta.horizonMs)
    return { verdict: "LOST", key, message: "the attempt is older than what is still remembered" };
  if (state.recent.forgottenThrough > mark) return { verdict: "REREAD", key };
  // S4: one lease a task. The registry makes an attempt only after the one before was released, so this is a caller's fault.
  const other = state.ledger.byTask.get(bid.task)?.lease.attempt ?? state.standing.ofTask(bid.task)?.bid.attempt;
  if (other !== undefined && other !== bid.attempt) {
    return {
      verdict: "INVALID",
      key,
      message: `attempt ${other} of the task holds a lease or has a standing bid: one attempt at a time`,
    };
  }
  const { standingMax } = state.settings;
  if (!(state.standing.size < standingMax || state.standing.get(key)))
    return { verdict: "INVALID", key, message: `${standingMax} bids are standing, which is the bound: withdraw some` };
  // What stands for a stream goes on standing, as it was placed there: its owner hears of a grant, and wouldn't hear of a removal.
  if (session !== "" || !state.standing.get(key)?.session) state.standing.place(bid, session);
  return { verdict: "STANDING", key };
}

/** Takes a bid back. Returns its lease if it has one already. */
export function withdraw(state: State, ref: AttemptRef): Lease | undefined {
  const key = attemptKey(ref.task, ref.attempt);
  const standing = state.standing.get(key);
  if (standing) state.standing.remove(standing);
  return state.ledger.byKey.get(key)?.lease;
}

/** Everything that refuses a bid now; empty if it would be granted. */
export function explain(state: State, bid: Bid, turn: Turn, standing?: StandingBid): Refusal[] {
  if (state.stopReason !== "") return [stopped];
  const order = standing ?? { rank: bid.rank, arrival: Number.POSITIVE_INFINITY };
  const demand = demandOf(bid);
  const admission = admit(state, demand, order, turn.now, true);
  return "blocks" in admission ? refusalsOf(state, demand, admission.blocks, turn.now) : [];
}

const stopped: Refusal = {
  reason: "GRANTING_STOPPED",
  limit: "",
  pool: "",
  wanted: 1,
  used: 0,
  capacity: 0,
  holders: [],
  handler: "",
  attached: [],
};

/** Forbids attempts: one without a lease never gets one, one with a lease is asked to stop. */
export function forbid(
  state: State,
  turn: Turn,
  attempts: readonly AttemptRef[],
  reason: string,
  known: Known,
): ForbidResult[] {
  const finished = byAttempt(known.leases);
  return attempts.map(({ task, attempt }) => {
    const key = attemptKey(task, attempt);
    const held = state.ledger.byKey.get(key);
    if (held) {
      revoke(state, turn, held, reason);
      return { found: "REVOKING" };
    }
    const short = state.recent.ofAttempt(key);
    const over = (short && state.recent.unwritten.get(short.id)) ?? finished.get(key);
    if (over) return { found: "RELEASED", ...(over.outcome && { outcome: over.outcome }) };
    if (short || state.recent.forgottenThrough > known.mark) return { found: "REREAD" };
    const standing = state.standing.get(key);
    if (standing) state.standing.remove(standing);
    if (!state.tombstones.has(key)) {
      state.tombstones.set(key, turn.now.wallMs);
      turn.changes.push({ k: "tombstone", key, wallMs: turn.now.wallMs });
    }
    return { found: "NO_LEASE" };
  });
}

function byAttempt(leases: readonly Lease[]): Map<string, Lease> {
  return new Map(leases.map((lease) => [attemptKey(lease.task, lease.attempt), lease]));
}
