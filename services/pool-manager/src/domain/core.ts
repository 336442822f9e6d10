import type { CommandCore, Decision, Handlers, Now } from "@berth/chassis/engine";
import { explain, forbid, placeAndAnswer, placeStanding, withdraw } from "./bids.js";
import type { CatalogueRefused } from "./catalogue.js";
import type { Change, Row } from "./changes.js";
import type { AnswerOf, Command, Commands } from "./commands.js";
import { byId, complete } from "./completion.js";
import { endTemporary, sweep } from "./expiry.js";
import { grantPass } from "./grants.js";
import { createLimit, deleteLimit, updateLimit } from "./limit-catalogue.js";
import type { Limit } from "./limits.js";
import { Loading } from "./loading.js";
import type { Pool } from "./pool.js";
import { createPool, deletePool, updatePool } from "./pool-catalogue.js";
import { rowKeyOf, rowOf, rowWritten } from "./rows.js";
import { seed } from "./seed.js";
import { attach, begun, detach, renew, sessionOf } from "./sessions.js";
import { type Settings, State, type Turn } from "./state.js";
import { limitOf, poolAnswer } from "./status.js";

/**
 * The rules of the pool-manager. `decide` takes one command, applies what it brings about, and grants in the same decision whatever that
 * has made room for; so the order of decisions is the order of commits, and capacity never lies idle between two of them.
 */
export class PoolCore implements CommandCore<Commands, Change, Row> {
  readonly state: State;
  private loading: Loading | undefined;

  constructor(settings: Settings) {
    this.state = new State(settings);
    this.loading = new Loading(this.state);
  }

  /** Takes the live rows, before the journal is replayed. */
  load(rows: readonly Row[]): void {
    for (const row of rows) this.loading?.row(row);
  }

  apply(change: Change): void {
    this.loading?.change(change);
  }

  decide(command: Command, now: Now): Decision<unknown, Change> {
    if (this.loading) {
      // Indexes are built once everything is replayed: in the middle of a replay a slot may seem to be held twice.
      this.loading.finish(now);
      this.loading = undefined;
    }
    const turn: Turn = { now, changes: [] };
    const decided = answer(this.state, turn, command);
    grantPass(this.state, turn);
    const outcome = told(this.state, turn, command, decided);
    return { outcome, changes: turn.changes, silent: isSilent(command, outcome) };
  }

  rowKey(change: Change): string | undefined {
    return rowKeyOf(change);
  }

  row(key: string): { readonly row: Row; readonly final: boolean } | undefined {
    return rowOf(this.state, key);
  }

  written(key: string): void {
    rowWritten(this.state, key);
  }
}

/** Bids that only stand are answered when they are granted: until then their stream hears nothing. */
function isSilent(command: Command, outcome: unknown): boolean {
  return command.kind === "bids" && (outcome as AnswerOf<"bids">).every(({ verdict }) => verdict === "STANDING");
}

/** What is decided before the grants. A change of the catalogue is told after them. */
type Deciding = {
  [Kind in keyof Commands]: {
    takes: Commands[Kind]["takes"];
    gives: Kind extends "createLimit" | "updateLimit"
      ? Limit | CatalogueRefused
      : Kind extends "createPool" | "updatePool"
        ? Pool | CatalogueRefused
        : AnswerOf<Kind>;
  };
};

/** A change of the catalogue is answered with what this very decision left, the grants that it made room for among it. */
function told(state: State, turn: Turn, { kind }: Command, decided: unknown): unknown {
  if (typeof decided === "object" && decided !== null && "refused" in decided) return decided;
  if (kind === "createLimit" || kind === "updateLimit") return limitOf(state, decided as Limit);
  if (kind === "createPool" || kind === "updatePool") return poolAnswer(state, decided as Pool, turn.now);
  return decided;
}

const handlers: Handlers<Deciding, [State, Turn]> = {
  begin(state, turn, { dataId, leaseKey, pools, limits }) {
    if (state.meta.dataId === "") state.setMeta(turn, { dataId });
    // What was over while no process was there is over before the first grant.
    endTemporary(state, turn);
    if (state.meta.leaseKey === undefined) state.setMeta(turn, { leaseKey });
    return void seed(state, turn, pools, limits);
  },
  attach,
  renew,
  starts: takeStarts,
  complete: takeCompletions,
  detach: (state, turn, { runner, incarnation }) => detach(state, turn, runner, incarnation),
  bids: (state, turn, { bids, session, known }) => placeStanding(state, turn, bids, session, known),
  withdraw: (state, _turn, { attempts }) => attempts.map((attempt) => withdraw(state, attempt)),
  withdrawSession(state, _turn, { session }) {
    const standing = state.standing.ofSession(session);
    for (const bid of standing) state.standing.remove(bid);
    return standing.length;
  },
  placeBids: (state, turn, { bids, known }) => placeAndAnswer(state, turn, bids, known),
  checkAdmission: (state, turn, { bid }) => explain(state, bid, turn),
  forbid: takeForbid,
  createPool: (state, turn, command) => createPool(state, turn, command.spec, command),
  updatePool: (state, turn, { name, patch, etag }) => updatePool(state, turn, name, patch, etag),
  deletePool: (state, turn, { name }) => deletePool(state, turn, name),
  createLimit: (state, turn, command) => createLimit(state, turn, command.spec, command),
  updateLimit,
  deleteLimit,
  tick: (state, turn) => sweep(state, turn),
  mark: (_state, turn) => void turn.changes.push({ k: "mark" }),
  drift(state, _turn, { drift }) {
    state.drift = drift;
    return undefined;
  },
  acknowledge(state, turn, { position }) {
    if (position > state.meta.acknowledged) state.setMeta(turn, { acknowledged: position });
    return undefined;
  },
  horizon: (state, turn, { beforeMs }) => moveHorizon(state, turn, beforeMs),
  read: (state, turn, { read }) => read(state, turn.now),
};

/** The compiler knows that each handler fits its kind, but not that this one fits this command. */
function answer(state: State, turn: Turn, command: Command): unknown {
  const handler = handlers[command.kind] as (state: State, turn: Turn, command: Command) => unknown;
  return handler(state, turn, command);
}

function takeStarts(state: State, turn: Turn, command: Commands["starts"]["takes"]): AnswerOf<"starts"> {
  const session = sessionOf(state, command.runner, command.incarnation);
  if ("refused" in session) return session;
  for (const { lease, token, startMs } of command.starts) {
    const held = state.ledger.leases.get(lease);
    if (held?.lease.token !== token || held.lease.runner !== command.runner) continue;
    held.seenMs = turn.now.monoMs;
    begun(state, turn, held, startMs ?? turn.now.wallMs);
  }
  return undefined;
}

function takeCompletions(state: State, turn: Turn, command: Commands["complete"]["takes"]): AnswerOf<"complete"> {
  const { runner, incarnation, items } = command;
  const record = state.sessions.get(runner)?.record;
  if (incarnation !== undefined && record?.superseded.includes(incarnation)) {
    return {
      refused: "STALE_INCARNATION",
      message: `incarnation ${incarnation} of runner ${runner} was replaced by ${record.incarnation}: end this process`,
    };
  }
  const known = byId(command.known);
  return { verdicts: items.map((item) => complete(state, turn, runner, item, known)) };
}

function takeForbid(state: State, turn: Turn, command: Commands["forbid"]["takes"]): AnswerOf<"forbid"> {
  const from = turn.changes.length;
  const results = forbid(state, turn, command.attempts, command.reason, command.known);
  const revoked = turn.changes.slice(from).flatMap((change) => {
    if (change.k !== "lease" || change.e !== "REVOKING") return [];
    const { id, token, runner, revokeReason } = change.l;
    return [{ runner, revocation: { lease: id, token, reason: revokeReason } }];
  });
  return { results, revoked };
}

function moveHorizon(state: State, turn: Turn, beforeMs: number): undefined {
  if (!(beforeMs > state.meta.horizonMs)) return;
  state.setMeta(turn, { horizonMs: beforeMs });
  for (const [key, wallMs] of state.tombstones) {
    if (wallMs >= beforeMs) continue;
    state.tombstones.delete(key);
    turn.changes.push({ k: "tombstone", key });
  }
}
