import type { Known } from "./bids.js";
import { byId, type Completion, type CompletionVerdict, complete, type KnownById } from "./completion.js";
import type { Outcome } from "./lease.js";
import type { Held } from "./ledger.js";
import { change, release, revoke } from "./release.js";
import { heard, setSession, superseding, updateRecord } from "./runners.js";
import type { Session, State, Turn } from "./state.js";

/** What a runner says of one lease. */
export interface Report {
  readonly lease: string;
  readonly token: number;
  readonly state: "RECEIVED" | "RUNNING" | "ENDED";
  readonly outcome?: Outcome;
}

/** A lease to stop, or never to start. */
export interface Revocation {
  readonly lease: string;
  readonly token: number;
  readonly reason: string;
}

/** Why a runner's call is refused. */
export interface SessionRefused {
  readonly refused: "STALE_INCARNATION" | "SESSION_EXPIRED" | "WRONG_STATE";
  readonly message: string;
}

/** What an inventory brought about. */
export interface InventoryAnswer {
  readonly results: readonly { readonly lease: string; readonly verdict: CompletionVerdict }[];
  readonly revocations: readonly Revocation[];
}

/** An attachment. */
export interface Attach {
  readonly runner: string;
  readonly incarnation: string;
  readonly pools: readonly string[];
  readonly capacity: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Handlers that it has: each once. */
  readonly handlers: readonly string[];
  /** Grows with every start of the runner; 0 if it doesn't count them. */
  readonly startNumber: number;
  readonly earlierProcessesDead: boolean;
  readonly inventory: readonly Report[];
  readonly known: Known;
}

/** A renewal. */
export interface Renew {
  readonly runner: string;
  readonly incarnation: string;
  readonly inventory: readonly Report[];
  readonly draining: boolean;
  readonly refused: readonly { readonly lease: string; readonly token: number }[];
  readonly known: Known;
}

/** Finds the session of a runner's call, or says why there is none. */
export function sessionOf(state: State, runner: string, incarnation: string): Session | SessionRefused {
  const session = state.sessions.get(runner);
  if (!session) return { refused: "STALE_INCARNATION", message: `runner ${runner} isn't attached: attach first` };
  const { record } = session;
  if (record.incarnation !== incarnation) {
    return {
      refused: "STALE_INCARNATION",
      message: `incarnation ${incarnation} of runner ${runner} isn't the one attached (${record.incarnation}): end this process`,
    };
  }
  if (record.lost) {
    const why = record.left === true ? "has detached" : "was silent for its whole TTL";
    return {
      refused: "SESSION_EXPIRED",
      message: `runner ${runner} ${why}: stop every run, then attach as a new incarnation`,
    };
  }
  return session;
}

/**
 * Attaches a runner process. A new incarnation states that every earlier process is dead: the outcomes that those left in the spool are
 * applied, and whatever else they held is released at once.
 */
export function attach(state: State, turn: Turn, command: Attach): InventoryAnswer | SessionRefused {
  const { runner, incarnation, pools, labels, capacity } = command;
  const handlers = [...command.handlers].sort();
  const earlier = state.sessions.get(runner)?.record;
  if (earlier?.incarnation === incarnation) {
    const session = sessionOf(state, runner, incarnation);
    if ("refused" in session) return session;
    const record = { ...session.record, pools, labels, capacity, handlers, draining: false };
    setSession(state, { ...session, record, slotHint: 1 });
    return attached(state, turn, command);
  }
  // An attachment that was long on its way, of a process that died before it attached, must not replace a later one.
  const older = earlier !== undefined && command.startNumber > 0 && command.startNumber < earlier.startNumber;
  if (earlier && (older || earlier.superseded.includes(incarnation))) {
    return {
      refused: "STALE_INCARNATION",
      message: `incarnation ${incarnation} of runner ${runner} was replaced by ${earlier.incarnation}: end this process`,
    };
  }
  if (!command.earlierProcessesDead) {
    return {
      refused: "WRONG_STATE",
      message: `a new incarnation of runner ${runner} must first make sure that every earlier process is dead, and say so by earlier_processes_dead`,
    };
  }
  const record = {
    runner,
    incarnation,
    startNumber: command.startNumber,
    superseded: superseding(earlier),
    pools,
    labels,
    capacity,
    handlers,
    draining: false,
    lost: false,
    silenceMs: 0,
  };
  setSession(state, { record, deadlineMs: 0, heardMs: 0, extended: false, slotHint: 1 });
  return attached(state, turn, command);
}

function attached(state: State, turn: Turn, command: Attach): InventoryAnswer {
  const session = state.sessions.get(command.runner) as Session;
  updateRecord(turn, session, {});
  heard(state, turn, session);
  const answer = takeInventory(state, turn, session, command.inventory, command.known);
  for (const held of [...state.ledger.ofRunner(command.runner)]) {
    if (held.lease.incarnation !== command.incarnation) release(state, turn, held, "RUNNER_LOST");
  }
  state.standing.wakeAll();
  return { results: answer.results, revocations: [...answer.revocations, ...revocationsOf(state, command.runner)] };
}

/** Renews all leases of a runner by its inventory. */
export function renew(state: State, turn: Turn, command: Renew): InventoryAnswer | SessionRefused {
  const session = sessionOf(state, command.runner, command.incarnation);
  if ("refused" in session) return session;
  heard(state, turn, session);
  if (session.record.draining !== command.draining) {
    updateRecord(turn, session, { draining: command.draining });
    state.standing.wakeAll();
  }
  const known = byId(command.known);
  const refused = command.refused.map((item) =>
    endOf(state, turn, command.runner, { ...item, outcome: neverStarted }, known),
  );
  const answer = takeInventory(state, turn, session, command.inventory, command.known);
  revokeMissing(state, turn, command.runner);
  return {
    results: [...refused, ...answer.results],
    revocations: [...answer.revocations, ...revocationsOf(state, command.runner)],
  };
}

const neverStarted: Outcome = {
  result: "NOT_STARTED",
  signal: "",
  message: "the work never reached the runner",
  resultJson: "",
  permanent: false,
  outputBytes: 0,
};

function takeInventory(
  state: State,
  turn: Turn,
  session: Session,
  inventory: readonly Report[],
  known: Known,
): InventoryAnswer {
  const results: { lease: string; verdict: CompletionVerdict }[] = [];
  const revocations: Revocation[] = [];
  const knownById = byId(known);
  const { runner, incarnation } = session.record;
  for (const report of inventory) {
    if (report.state === "ENDED" && report.outcome) {
      results.push(
        endOf(state, turn, runner, { lease: report.lease, token: report.token, outcome: report.outcome }, knownById),
      );
      continue;
    }
    const held = state.ledger.leases.get(report.lease);
    if (!held || held.lease.token !== report.token || held.lease.incarnation !== incarnation) {
      revocations.push({ lease: report.lease, token: report.token, reason: "the lease is over" });
      continue;
    }
    held.seenMs = turn.now.monoMs;
    if (report.state === "RUNNING") begun(state, turn, held, turn.now.wallMs);
  }
  return { results, revocations };
}

function endOf(
  state: State,
  turn: Turn,
  runner: string,
  item: Completion,
  known: KnownById,
): { lease: string; verdict: CompletionVerdict } {
  return { lease: item.lease, verdict: complete(state, turn, runner, item, known) };
}

/** Notes that a run has begun. */
export function begun(state: State, turn: Turn, held: Held, startMs: number): void {
  if (held.lease.startMs === undefined) change(state, turn, held, "STARTED", { startMs });
}

/** A lease that the runner hasn't had for so long will not start by itself any more: the runner is asked to promise that it won't. */
function revokeMissing(state: State, turn: Turn, runner: string): void {
  for (const held of state.ledger.ofRunner(runner)) {
    if (held.lease.state !== "ACTIVE" || turn.now.monoMs - held.seenMs <= state.settings.assignTimeoutMs) continue;
    revoke(state, turn, held, "the runner doesn't have it");
  }
}

/** Everything that a runner is asked to stop. */
export function revocationsOf(state: State, runner: string): Revocation[] {
  const revocations: Revocation[] = [];
  for (const { lease } of state.ledger.ofRunner(runner)) {
    if (lease.state === "REVOKING")
      revocations.push({ lease: lease.id, token: lease.token, reason: lease.revokeReason });
  }
  return revocations;
}

/** Detaches a runner that has stopped all: what it still holds ends at once. */
export function detach(state: State, turn: Turn, runner: string, incarnation: string): SessionRefused | undefined {
  const session = state.sessions.get(runner);
  // A repeat finds nothing, which is what it asks for.
  if (!session) return undefined;
  if (session.record.incarnation !== incarnation) return sessionOf(state, runner, incarnation) as SessionRefused;
  for (const held of [...state.ledger.ofRunner(runner)]) {
    release(state, turn, held, held.lease.startMs === undefined ? "NOT_STARTED" : "RUNNER_LOST");
  }
  // Kept for a while like a lost one, so that an attachment of an earlier start that is still on its way is known to be old.
  updateRecord(turn, session, { lost: true, left: true });
  session.heardMs = turn.now.monoMs;
  state.standing.wakeAll();
  return undefined;
}
