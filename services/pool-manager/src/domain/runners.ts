import type { Now } from "@berth/chassis/engine";
import type { RunnerHandlers } from "./bid.js";
import type { RunnerRecord } from "./changes.js";
import type { Session, State, Turn } from "./state.js";

/** Earlier incarnations that are remembered of a runner. */
const supersededMax = 16;

/** Key that wakes the bids that wait for a runner of a pool. */
export function poolKey(pool: string): string {
  return `at:${pool}`;
}

/** Puts a session into the state, in place of the one of the same runner. */
export function setSession(state: State, session: Session): void {
  removeSession(state, session.record.runner);
  state.sessions.set(session.record.runner, session);
  for (const pool of session.record.pools) {
    const sessions = state.sessionsByPool.get(pool);
    if (sessions) sessions.add(session);
    else state.sessionsByPool.set(pool, new Set([session]));
  }
}

/** Takes a session out of the state. */
export function removeSession(state: State, runner: string): void {
  const session = state.sessions.get(runner);
  if (!session) return;
  state.sessions.delete(runner);
  for (const pool of session.record.pools) {
    const sessions = state.sessionsByPool.get(pool);
    sessions?.delete(session);
    if (sessions?.size === 0) state.sessionsByPool.delete(pool);
  }
}

/** Changes what is kept of a session. */
export function updateRecord(turn: Turn, session: Session, patch: Partial<RunnerRecord>): void {
  session.record = { ...session.record, ...patch };
  turn.changes.push({ k: "runner", runner: session.record.runner, record: session.record });
}

/** The earlier incarnations of a runner, once `incarnation` has been replaced. */
export function superseding(earlier: RunnerRecord | undefined): string[] {
  return earlier ? [...earlier.superseded, earlier.incarnation].slice(-supersededMax) : [];
}

/** True if the runner may be given work. */
export function takesWork(session: Session, now: Now): boolean {
  return !session.record.lost && !session.record.draining && now.monoMs < session.deadlineMs;
}

/** Notes that a runner was heard of: its deadline counts from the beginning of this decision's commit. */
export function heard(state: State, turn: Turn, session: Session): void {
  const wasPast = !(turn.now.monoMs < session.deadlineMs);
  session.deadlineMs = turn.now.monoMs + state.settings.ttlMs;
  session.heardMs = turn.now.monoMs;
  session.extended = false;
  if (session.record.silenceMs > 0) updateRecord(turn, session, { silenceMs: 0 });
  if (wasPast) state.standing.wakeAll();
}

/** What was found when a runner was looked for. */
export type Pick =
  | { readonly session: Session }
  | { readonly reason: "NO_RUNNER" | "NO_HANDLER" | "RUNNERS_FULL"; readonly used: number; readonly capacity: number };

/** What a bid asks of a runner. */
interface Wanted {
  readonly runner: string;
  readonly labels: readonly (readonly [string, string])[];
  /** Empty for none. */
  readonly handler: string;
}

/** Picks the least loaded runner that matches; at a tie the one whose id comes first. */
export function pickRunner(state: State, pool: string, wanted: Wanted, now: Now): Pick {
  let best: Session | undefined;
  let bestCount = 0;
  let used = 0;
  let capacity = 0;
  let lackHandler = false;
  for (const session of fitting(state, pool, wanted, now)) {
    if (!hasHandler(session, wanted.handler)) {
      lackHandler = true;
      continue;
    }
    const count = state.ledger.countOfRunner(session.record.runner);
    used += count;
    capacity += session.record.capacity;
    if (!(count + 1 <= session.record.capacity)) continue;
    if (best && !lessLoaded(session, count, best, bestCount)) continue;
    best = session;
    bestCount = count;
  }
  if (best) return { session: best };
  return { reason: capacity > 0 ? "RUNNERS_FULL" : lackHandler ? "NO_HANDLER" : "NO_RUNNER", used, capacity };
}

/** Live runners of a pool with the labels, whatever their handlers and however full. */
function* fitting(state: State, pool: string, wanted: Wanted, now: Now): Iterable<Session> {
  for (const session of candidates(state, pool, wanted.runner)) {
    const { labels } = session.record;
    if (takesWork(session, now) && wanted.labels.every(([key, value]) => labels[key] === value)) yield session;
  }
}

function hasHandler({ record }: Session, handler: string): boolean {
  return handler === "" || (record.handlers?.includes(handler) ?? false);
}

/** Runners that a refusal names, and handlers of each. */
const runnersShown = 10;
const handlersShown = 10;

/** For people: the runners that fit but for the handler, by id, and what each has. */
export function handlersAt(state: State, pool: string, wanted: Wanted, now: Now): RunnerHandlers[] {
  return [...fitting(state, pool, wanted, now)]
    .map(({ record: { runner, handlers = [] } }) => ({
      runner,
      handlers: handlers.slice(0, handlersShown),
      handlerCount: handlers.length,
    }))
    .sort((left, right) => (left.runner < right.runner ? -1 : 1))
    .slice(0, runnersShown);
}

function candidates(state: State, pool: string, runner: string): Iterable<Session> {
  if (runner === "") return state.sessionsByPool.get(pool) ?? [];
  const session = state.sessions.get(runner);
  if (!session || (pool !== "" && !session.record.pools.includes(pool))) return [];
  return [session];
}

/** Compares loads as fractions of the capacities, without dividing. */
function lessLoaded(left: Session, leftCount: number, right: Session, rightCount: number): boolean {
  const difference = leftCount * right.record.capacity - rightCount * left.record.capacity;
  return difference < 0 || (difference === 0 && left.record.runner < right.record.runner);
}

/** The slot that a new lease would hold: the first free named one of the pool, or the runner's lowest free number. */
export function freeSlot(state: State, pool: string, session: Session): string | undefined {
  const named = state.pools.get(pool)?.slots ?? [];
  const { bySlot } = state.ledger;
  if (named.length > 0) return named.find((slot) => !bySlot.has(slot));
  const { runner, capacity } = session.record;
  for (let k = session.slotHint; k <= capacity; k++) {
    const slot = `${runner}/${k}`;
    if (bySlot.has(slot)) continue;
    session.slotHint = k;
    return slot;
  }
  return undefined;
}

/** Notes that a slot of a runner is free again. */
export function slotFreed(session: Session | undefined, slot: string): void {
  if (!session) return;
  const prefix = `${session.record.runner}/`;
  if (!slot.startsWith(prefix)) return;
  const k = Number(slot.slice(prefix.length));
  if (k >= 1 && k < session.slotHint) session.slotHint = k;
}
