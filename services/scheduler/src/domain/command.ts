import type { Assignment, AttemptRef, Grant, ReadyTask } from "./task.js";
import type { Bid } from "./windows.js";

/** What happened, one of the things that the scheduler acts on. */
export type Command =
  /** The registry's ready stream was opened: a snapshot follows. */
  | { readonly kind: "registry-connected" }
  /** A piece of the ready stream. `complete` closes the snapshot. */
  | {
      readonly kind: "ready";
      readonly tasks: readonly ReadyTask[];
      readonly gone: readonly string[];
      readonly complete: boolean;
    }
  /** The bid stream was opened. */
  | { readonly kind: "bids-connected" }
  /** The bid stream broke: its bids are withdrawn, its grants stand. */
  | { readonly kind: "bids-lost" }
  /** What became of bids. */
  | { readonly kind: "results"; readonly results: readonly BidResult[] }
  /** A runner opened its work stream. */
  | { readonly kind: "runner-connected"; readonly runner: string; readonly incarnation: string }
  /** Time went by. */
  | { readonly kind: "tick" };

/** What became of one bid. */
export type BidResult = AttemptRef &
  (
    | { readonly verdict: "granted"; readonly grant: Grant }
    | { readonly verdict: "withdrawn" }
    /** It can never have a lease. */
    | { readonly verdict: "lost"; readonly message: string }
    /** The bid itself is wrong. */
    | { readonly verdict: "invalid"; readonly message: string }
  );

/** What to do. */
export interface Actions {
  /** For the pool-manager, before the bids. */
  readonly withdrawals: readonly AttemptRef[];
  /** For the pool-manager; what to run is fetched meanwhile. */
  readonly bids: readonly Bid[];
  /** For the runners' streams; whoever has none gets it on its connection. */
  readonly work: readonly Assignment[];
  /** Bids that were lost or wrong, for the log. */
  readonly refused: readonly (AttemptRef & { readonly verdict: "lost" | "invalid"; readonly message: string })[];
}
