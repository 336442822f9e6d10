import type { Weight } from "./lease.js";

/** A wish to run one attempt. The api has checked every bound; quantities are whole numbers. */
export interface Bid {
  readonly task: string;
  readonly attempt: number;
  /** Acceptable pools, best first; empty only together with `runner`. */
  readonly pools: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Named limits, beside those that are added by themselves. */
  readonly weights: readonly Weight[];
  readonly tenant: string;
  /** Smallest first. */
  readonly rank: number;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** Only this runner; empty for any. */
  readonly runner: string;
  readonly priority: number;
  /** When the attempt became ready; 0 if unknown. */
  readonly readyMs: number;
  readonly traceParent: string;
  /** How often the task was overtaken before in the place that it keeps. */
  readonly overtaken: number;
  /** Handler that the runner must have; empty for work that any can run. */
  readonly handler: string;
}

/** Names one attempt. */
export interface AttemptRef {
  readonly task: string;
  readonly attempt: number;
}

/** Why a bid is refused. */
export type RefusalReason =
  | "LIMIT_FULL"
  | "LIMIT_TOO_SMALL"
  | "KEPT_FOR_ANOTHER"
  | "RESERVED"
  | "RATE_SPENT"
  | "NO_RUNNER"
  | "RUNNERS_FULL"
  | "POOL_PAUSED"
  | "NO_SLOT"
  | "GRANTING_STOPPED"
  | "NO_HANDLER";

/** Who holds part of a limit. */
export interface Holder {
  readonly lease: string;
  readonly task: string;
  readonly runner: string;
  readonly weight: number;
  readonly grantMs: number;
}

/** A runner that would fit but for the handler, and what it has instead. */
export interface RunnerHandlers {
  readonly runner: string;
  /** The first of them, by name. */
  readonly handlers: readonly string[];
  /** How many it has in all. */
  readonly handlerCount: number;
}

/** One thing that refuses a bid. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly limit: string;
  readonly pool: string;
  readonly wanted: number;
  readonly used: number;
  readonly capacity: number;
  readonly holders: readonly Holder[];
  /** Handler that is missing; empty where none is. */
  readonly handler: string;
  /** Runners that fit but for the handler, by id. */
  readonly attached: readonly RunnerHandlers[];
}

/** What decides the order of bids: the rank, then who came first. */
export interface Order {
  readonly rank: number;
  readonly arrival: number;
}

/** Says whether `left` goes before `right`. */
export function goesBefore(left: Order, right: Order): boolean {
  return left.rank < right.rank || (left.rank === right.rank && left.arrival < right.arrival);
}
