import { endIfDue } from "./limit-catalogue.js";
import { change, release } from "./release.js";
import { removeSession, updateRecord } from "./runners.js";
import type { Session, State, Turn } from "./state.js";

/** A session whose leases are gone is remembered as lost for so many TTLs. */
const lostKeptTtls = 10;

/** What a sweep did. */
export interface Swept {
  /** Runners that became lost. */
  readonly lost: readonly string[];
  /** Set if granting stopped in this sweep, with the reason. */
  readonly alarm: string;
}

/** Sweeps: lets silent runners expire, ends the wait for late results, checkpoints silence, and ends what was limited in time. */
export function sweep(state: State, turn: Turn): Swept {
  const { settings } = state;
  const nowMs = turn.now.monoMs;
  const pausedMs = nowMs - (state.lastTickMs ?? nowMs);
  state.lastTickMs = nowMs;
  endTemporary(state, turn);
  wakeRates(state);
  if (pausedMs > settings.ttlMs / 4) {
    const live = [...state.sessions.values()].filter((session) => !session.record.lost);
    return {
      lost: [],
      alarm:
        live.length === 0
          ? ""
          : putOff(state, turn, live, `the pool-manager itself paused for ${Math.round(pausedMs)} ms`),
    };
  }
  endBrake(state, nowMs);
  const due = [...state.sessions.values()].filter((session) => !session.record.lost && !(nowMs < session.deadlineMs));
  const fresh = due.filter((session) => !session.extended);
  const live = [...state.sessions.values()].filter((session) => !session.record.lost).length;
  let alarm = "";
  let expiring = due;
  if (fresh.length > Math.max(3, live / 5)) {
    alarm = putOff(state, turn, fresh, `${fresh.length} of ${live} runners fell silent at once`);
    expiring = due.filter((session) => !fresh.includes(session));
  }
  for (const session of expiring) expire(state, turn, session);
  checkpointSilence(state, turn);
  endLateWaits(state, turn);
  return { lost: expiring.map((session) => session.record.runner), alarm };
}

/** Gives silent runners another TTL, once, and grants nothing until they are heard of or it is over. */
function putOff(state: State, turn: Turn, sessions: readonly Session[], cause: string): string {
  const untilMs = turn.now.monoMs + state.settings.ttlMs;
  for (const session of sessions) {
    session.deadlineMs = untilMs;
    session.extended = true;
  }
  const text = `${cause}: granting has stopped until they are heard of again, ${state.settings.ttlMs} ms at most`;
  state.brake = { sinceMs: turn.now.monoMs, untilMs, text };
  return text;
}

function endBrake(state: State, nowMs: number): void {
  if (!state.brake) return;
  const waiting = [...state.sessions.values()].some((session) => session.extended && !session.record.lost);
  if (waiting && nowMs < state.brake.untilMs) return;
  state.brake = undefined;
  state.standing.wakeAll();
}

/** The runner was silent for the whole TTL: its leases wait for late results. */
function expire(state: State, turn: Turn, session: Session): void {
  updateRecord(turn, session, { lost: true });
  session.heardMs = turn.now.monoMs;
  for (const held of state.ledger.ofRunner(session.record.runner)) {
    if (held.lease.state === "EXPIRED") continue;
    held.expiredMs = turn.now.monoMs;
    change(state, turn, held, "EXPIRED", { state: "EXPIRED" });
  }
  state.standing.wakeAll();
}

function endLateWaits(state: State, turn: Turn): void {
  for (const held of [...state.ledger.expiredLeases]) {
    if (turn.now.monoMs - held.expiredMs >= state.settings.lateWaitMs) release(state, turn, held, "EXPIRED");
  }
  for (const session of [...state.sessions.values()]) {
    const { runner, lost } = session.record;
    if (!lost || state.ledger.countOfRunner(runner) > 0) continue;
    if (turn.now.monoMs - session.heardMs < lostKeptTtls * state.settings.ttlMs) continue;
    removeSession(state, runner);
    turn.changes.push({ k: "runner", runner });
  }
}

/** Writes how long a runner has been silent, every quarter of the TTL, so that restarts can't make its leases immortal. */
function checkpointSilence(state: State, turn: Turn): void {
  const step = state.settings.ttlMs / 4;
  for (const session of state.sessions.values()) {
    if (session.record.lost) continue;
    const silenceMs = Math.floor((turn.now.monoMs - session.heardMs) / step) * step;
    if (silenceMs > session.record.silenceMs) updateRecord(turn, session, { silenceMs });
  }
}

/** Ends what was set for a time only. */
export function endTemporary(state: State, turn: Turn): void {
  for (const name of [...state.limits.keys()]) endIfDue(state, turn, name);
}

function wakeRates(state: State): void {
  for (const limit of state.limits.values()) if (limit.rate > 0) state.standing.wake(limit.name);
}
