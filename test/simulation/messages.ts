import type { AttemptRef, Bid } from "@berth/pool-manager/internal/domain/bid";
import type { BidResult, ForbidResult } from "@berth/pool-manager/internal/domain/bids";
import type { LimitSpec, PoolSpec } from "@berth/pool-manager/internal/domain/catalogue";
import type { Completion, CompletionVerdict } from "@berth/pool-manager/internal/domain/completion";
import type { Lease } from "@berth/pool-manager/internal/domain/lease";
import type {
  Attach,
  InventoryAnswer,
  Renew,
  Revocation,
  SessionRefused,
} from "@berth/pool-manager/internal/domain/sessions";
import type { LeaseEventPage } from "@berth/pool-manager/internal/engine/lease-events";

/** A lease as whoever bids is told it, and tells its runner. */
export type ToldLease = Lease & { readonly secret?: Uint8Array };

/** A completion as it travels. */
export type ProvedCompletion = Completion & { readonly proof?: Uint8Array };

/** What the pool-manager is asked. */
export type Ask =
  | { readonly kind: "attach"; readonly number: number; readonly attach: Omit<Attach, "known"> }
  | { readonly kind: "renew"; readonly number: number; readonly renew: Omit<Renew, "known"> }
  | {
      readonly kind: "starts";
      readonly starts: {
        readonly runner: string;
        readonly incarnation: string;
        readonly starts: readonly { readonly lease: string; readonly token: number; readonly startMs: number }[];
      };
    }
  | {
      readonly kind: "complete";
      readonly runner: string;
      readonly incarnation?: string;
      readonly items: readonly ProvedCompletion[];
    }
  | { readonly kind: "detach"; readonly runner: string; readonly incarnation: string }
  | { readonly kind: "bids"; readonly session: string; readonly bids: readonly Bid[] }
  | { readonly kind: "withdraw"; readonly attempts: readonly AttemptRef[] }
  | { readonly kind: "sessionEnd"; readonly session: string }
  | { readonly kind: "events"; readonly after: number }
  | { readonly kind: "acknowledge"; readonly position: number }
  | { readonly kind: "forbid"; readonly attempts: readonly AttemptRef[] }
  | { readonly kind: "setLimit"; readonly spec: LimitSpec }
  | { readonly kind: "setPool"; readonly name: string; readonly patch: Partial<PoolSpec> };

/** What it says. */
export type Reply =
  | {
      readonly kind: "attached" | "renewed";
      readonly number: number;
      readonly incarnation: string;
      readonly answer: InventoryAnswer | SessionRefused;
    }
  | {
      readonly kind: "completed";
      readonly incarnation: string;
      readonly results: readonly { readonly lease: string; readonly verdict: CompletionVerdict }[];
    }
  | { readonly kind: "detached"; readonly incarnation: string; readonly refused: boolean }
  | { readonly kind: "revoke"; readonly incarnation: string; readonly revocations: readonly Revocation[] }
  | { readonly kind: "bids"; readonly results: readonly BidResult[] }
  | { readonly kind: "events"; readonly after: number; readonly page: LeaseEventPage }
  | { readonly kind: "forbidden"; readonly attempts: readonly AttemptRef[]; readonly results: readonly ForbidResult[] };
