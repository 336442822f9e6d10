import type { AnyCommand, Now, CommandOf as Of } from "@berth/chassis/engine";
import type { AttemptRef, Bid, Refusal } from "./bid.js";
import type { BidResult, ForbidResult, Known } from "./bids.js";
import type { CatalogueRefused, CreateRequest, LimitSpec, PoolSpec } from "./catalogue.js";
import type { Completion, CompletionVerdict } from "./completion.js";
import type { Swept } from "./expiry.js";
import type { Lease } from "./lease.js";
import type { LimitUpdate } from "./limit-catalogue.js";
import type { LimitStatus } from "./pool.js";
import type { Attach, InventoryAnswer, Renew, Revocation, SessionRefused } from "./sessions.js";
import type { State } from "./state.js";
import type { PoolAnswer } from "./status.js";

/** Every command with what it takes and what it answers. */
export interface Commands {
  /** At every start: names the data and makes the key of the secrets at the first, creates what the configuration names. */
  begin: {
    takes: {
      readonly dataId: string;
      readonly leaseKey: string;
      readonly pools: readonly PoolSpec[];
      readonly limits: readonly LimitSpec[];
    };
    gives: undefined;
  };
  attach: { takes: Attach; gives: InventoryAnswer | SessionRefused };
  renew: { takes: Renew; gives: InventoryAnswer | SessionRefused };
  starts: {
    takes: {
      readonly runner: string;
      readonly incarnation: string;
      readonly starts: readonly { readonly lease: string; readonly token: number; readonly startMs?: number }[];
    };
    gives: SessionRefused | undefined;
  };
  /** `incarnation` is undefined for outcomes from the bus, where the token alone decides. */
  complete: {
    takes: {
      readonly runner: string;
      readonly incarnation?: string;
      readonly items: readonly Completion[];
      readonly known: Known;
    };
    gives: { readonly verdicts: readonly CompletionVerdict[] } | SessionRefused;
  };
  detach: { takes: { readonly runner: string; readonly incarnation: string }; gives: SessionRefused | undefined };
  /** Places or replaces standing bids of a stream. */
  bids: {
    takes: { readonly session: string; readonly bids: readonly Bid[]; readonly known: Known };
    gives: readonly BidResult[];
  };
  withdraw: { takes: { readonly attempts: readonly AttemptRef[] }; gives: readonly (Lease | undefined)[] };
  /** A stream has ended: its bids go. */
  withdrawSession: { takes: { readonly session: string }; gives: number };
  /** Grants or refuses at once; nothing is left standing. */
  placeBids: { takes: { readonly bids: readonly Bid[]; readonly known: Known }; gives: readonly BidResult[] };
  checkAdmission: { takes: { readonly bid: Bid }; gives: readonly Refusal[] };
  forbid: {
    takes: { readonly attempts: readonly AttemptRef[]; readonly reason: string; readonly known: Known };
    gives: {
      readonly results: readonly ForbidResult[];
      readonly revoked: readonly { readonly runner: string; readonly revocation: Revocation }[];
    };
  };
  createPool: { takes: { readonly spec: PoolSpec } & CreateRequest; gives: PoolAnswer | CatalogueRefused };
  updatePool: {
    takes: { readonly name: string; readonly patch: Partial<PoolSpec>; readonly etag: string };
    gives: PoolAnswer | CatalogueRefused;
  };
  deletePool: { takes: { readonly name: string }; gives: CatalogueRefused | undefined };
  createLimit: { takes: { readonly spec: LimitSpec } & CreateRequest; gives: LimitStatus | CatalogueRefused };
  updateLimit: { takes: LimitUpdate; gives: LimitStatus | CatalogueRefused };
  deleteLimit: {
    takes: { readonly name: string; readonly ownerSet?: string | undefined };
    gives: CatalogueRefused | undefined;
  };
  /** Expiry and everything else that time brings. */
  tick: { takes: unknown; gives: Swept };
  /** Marks a commit, so that memory and store can be compared as of it. */
  mark: { takes: unknown; gives: undefined };
  /** What the auditor found; granting stops where it isn't 0. */
  drift: { takes: { readonly drift: number }; gives: undefined };
  /** The registry has committed lease events up to this position. */
  acknowledge: { takes: { readonly position: number }; gives: undefined };
  /** What ended before this moment is about to be pruned. */
  horizon: { takes: { readonly beforeMs: number }; gives: undefined };
  /** Reads the state; answered after a commit of this epoch. Must not change anything. */
  read: { takes: { readonly read: (state: State, now: Now) => unknown }; gives: unknown };
}

/** Names of the commands. */
export type CommandKind = keyof Commands;
/** One command of a kind. */
export type CommandOf<Kind extends CommandKind> = Of<Commands, Kind>;
/** Its answer. */
export type AnswerOf<Kind extends CommandKind> = Commands[Kind]["gives"];
/** Any command. */
export type Command = AnyCommand<Commands>;
