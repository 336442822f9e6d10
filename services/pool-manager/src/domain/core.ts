import type { Core, Decision, Now } from "@berth/chassis/engine";
import { explain, forbid, placeAndAnswer, placeStanding, withdraw } from "./bids.js";
import { createLimit, createPool, deleteLimit, deletePool, seed, updateLimit, updatePool } from "./catalogue.js";
import type { Change, Row } from "./changes.js";
import type { AnswerOf, Command, CommandKind } from "./commands.js";
import { byId, complete } from "./completion.js";
import { sweep } from "./expiry.js";
import { grantPass } from "./grants.js";
import { Loading } from "./loading.js";
import { rowKeyOf, rowOf, rowWritten } from "./rows.js";
import { attach, begun, detach, renew, sessionOf } from "./sessions.js";
import { type Settings, State, type Turn } from "./state.js";

/**
 * The rules of the pool-manager. `decide` takes one command, applies what it brings about, and grants in the same decision whatever that
 * has made room for; so the order of decisions is the order of commits, and capacity never lies idle between two of them.
 */
export class PoolCore implements Core<Command, unknown, Change, Row> {
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
    const outcome = answer(this.state, turn, command);
    grantPass(this.state, turn);
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

function answer(state: State, turn: Turn, command: Command): AnswerOf<CommandKind> {
  switch (command.kind) {
    case "begin":
      if (state.meta.dataId === "") state.setMeta(turn, { dataId: command.dataId });
      return void seed(state, turn, command.pools, command.limits);
    case "attach":
      return attach(state, turn, command);
    case "renew":
      return renew(state, turn, command);
    case "starts":
      return takeStarts(state, turn, command);
    case "complete":
      return takeCompletions(state, turn, command);
    case "detach":
      return detach(state, turn, command.runner, command.incarnation);
    case "bids":
      return placeStanding(state, turn, command.bids, command.session, command.known);
    case "withdraw":
      return command.attempts.map((attempt) => withdraw(state, attempt));
    case "withdrawSession": {
      const standing = state.standing.ofSession(command.session);
      for (const bid of standing) state.standing.remove(bid);
      return standing.length;
    }
    case "placeBids":
      return placeAndAnswer(state, turn, command.bids, command.known);
    case "checkAdmission":
      return explain(state, command.bid, turn);
    case "forbid":
      return takeForbid(state, turn, command);
    case "createPool":
      return createPool(state, turn, command.spec, command);
    case "updatePool":
      return updatePool(state, turn, command.name, command.patch, command.etag);
    case "deletePool":
      return deletePool(state, turn, command.name);
    case "createLimit":
      return createLimit(state, turn, command.spec, command);
    case "updateLimit":
      return updateLimit(state, turn, command.name, command.patch, command.etag);
    case "deleteLimit":
      return deleteLimit(state, turn, command.name);
    case "tick":
      return sweep(state, turn);
    case "mark":
      return void turn.changes.push({ k: "mark" });
    case "drift":
      state.drift = command.drift;
      return undefined;
    case "acknowledge":
      if (command.position > state.meta.acknowledged) state.setMeta(turn, { acknowledged: command.position });
      return undefined;
    case "horizon":
      return moveHorizon(state, turn, command.beforeMs);
    case "read":
      return command.read(state, turn.now);
  }
}

function takeStarts(state: State, turn: Turn, command: Command & { kind: "starts" }): AnswerOf<"starts"> {
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

function takeCompletions(state: State, turn: Turn, command: Command & { kind: "complete" }): AnswerOf<"complete"> {
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

function takeForbid(state: State, turn: Turn, command: Command & { kind: "forbid" }): AnswerOf<"forbid"> {
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
