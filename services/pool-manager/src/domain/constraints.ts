import { goesBefore, type Order, type RefusalReason } from "./bid.js";
import { limitBounds } from "./bounds.js";
import type { CatalogueRefused } from "./catalogue.js";
import { type LimitRule, range } from "./limit-rules.js";
import { canEverFit, fits, type Limit, type Starts, sparesReserve } from "./limits.js";
import { lastingCapacity } from "./temporary.js";

/** What a bid asks of one limit, as things are. */
export interface Ask {
  readonly limit: Limit;
  readonly used: number;
  readonly wanted: number;
  readonly priority: number;
  readonly order: Order;
  /** The bid that what is free is kept for, if any. */
  readonly kept: Order | undefined;
  readonly starts: Starts;
  readonly wallMs: number;
}

/** One way in which a limit holds bids back: everything that the rules know of it. A new kind of limit is a row here and its fields. */
interface Constraint {
  readonly reason: RefusalReason;
  readonly refuses: (ask: Ask) => boolean;
  /** True if keeping what is free for a bid can cure it. */
  readonly curable: boolean;
  /** What must be true of the limit's fields, at every door: creation, update, a pool's bounds, a temporary change and what follows it. */
  readonly rules: readonly LimitRule[];
}

const { unitsMax, poolConcurrencyMax, rateMax, ratePeriodMaxMs, priorityMax } = limitBounds;

/** Last moment that the wire can say: the end of the year 9999. */
const lastWallMs = Date.UTC(10_000, 0, 1) - 1;

const capacityMax = ({ name }: Limit): number => (/^pool:[^:]+$/.test(name) ? poolConcurrencyMax : unitsMax);

/** In the order in which a refusal is told: the first that refuses is the reason. */
const constraints: readonly Constraint[] = [
  {
    reason: "LIMIT_TOO_SMALL",
    refuses: ({ limit, wanted }) => !canEverFit(limit, wanted),
    curable: false,
    rules: [
      range("limit.capacity", ({ capacity }) => capacity, 0, capacityMax),
      range("limit.revert_capacity", ({ revertCapacity }) => revertCapacity, 0, capacityMax),
      {
        field: "limit.expire_time",
        holds: ({ expireMs }) => expireMs === undefined || (expireMs >= 0 && expireMs <= lastWallMs),
        text: () => "isn't a time from 1970 to 9999",
      },
    ],
  },
  {
    reason: "LIMIT_FULL",
    refuses: ({ limit, used, wanted }) => !fits(limit, used, wanted),
    curable: true,
    rules: [],
  },
  {
    reason: "RESERVED",
    refuses: ({ limit, used, wanted, priority }) => !sparesReserve(limit, used, wanted, priority),
    curable: false,
    rules: [
      range(
        "limit.reserve",
        ({ reserve }) => reserve,
        0,
        () => unitsMax,
      ),
      {
        field: "limit.reserve",
        holds: ({ reserve, capacity }) => reserve <= capacity,
        text: ({ name, reserve, capacity }) =>
          `the reserve of ${name}, ${reserve}, is above the capacity ${capacity}: lower the reserve too`,
      },
      {
        field: "limit.reserve",
        holds: (limit) => limit.reserve <= lastingCapacity(limit),
        text: (limit) =>
          `the reserve of ${limit.name}, ${limit.reserve}, is above ${lastingCapacity(limit)}, the capacity after the temporary change: lower the reserve too`,
      },
      range(
        "limit.reserve_priority",
        ({ reservePriority }) => reservePriority,
        -priorityMax,
        () => priorityMax,
      ),
    ],
  },
  {
    reason: "KEPT_FOR_ANOTHER",
    refuses: ({ kept, order }) => kept !== undefined && goesBefore(kept, order),
    curable: true,
    rules: [],
  },
  {
    reason: "RATE_SPENT",
    refuses: ({ limit, starts, wallMs }) => limit.rate > 0 && !(starts.nextMs(limit, wallMs) <= wallMs),
    curable: false,
    rules: [
      range(
        "limit.rate",
        ({ rate }) => rate,
        0,
        () => rateMax,
      ),
      // The rules themselves work with any period; callers are held to ratePeriodMinMs where requests and files are read.
      range(
        "limit.rate_period",
        ({ rate, ratePeriodMs }) => (rate > 0 ? ratePeriodMs : undefined),
        1,
        () => ratePeriodMaxMs,
      ),
    ],
  },
];

/** Refusals by a limit that keeping limits for the bid can cure. */
export const curableByKeeping: readonly RefusalReason[] = constraints.flatMap(({ curable, reason }) =>
  curable ? [reason] : [],
);

/** Why a limit refuses; undefined if it doesn't. */
export function limitRefusal(ask: Ask): RefusalReason | undefined {
  for (const { refuses, reason } of constraints) if (refuses(ask)) return reason;
  return undefined;
}

/** What is wrong with a limit as it would be; undefined if nothing is. */
export function limitProblem(limit: Limit): CatalogueRefused | undefined {
  for (const { rules } of constraints)
    for (const { field, holds, text } of rules)
      if (!holds(limit)) return { refused: "INVALID_FIELD", field, message: text(limit) };
  return undefined;
}
