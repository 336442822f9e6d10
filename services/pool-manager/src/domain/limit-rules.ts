import { limitBounds } from "./bounds.js";
import type { CatalogueRefused } from "./catalogue.js";
import type { Limit } from "./limits.js";
import { lastingCapacity } from "./temporary.js";

/** One thing that must be true of every limit, whichever door it came through. */
interface LimitRule {
  /** The field of the wire that is to be mended. */
  readonly field: string;
  readonly holds: (limit: Limit) => boolean;
  /** The value, the bound, and what to do. */
  readonly text: (limit: Limit) => string;
}

const { unitsMax, poolConcurrencyMax, rateMax, ratePeriodMaxMs, priorityMax } = limitBounds;

/** Last moment that the wire can say: the end of the year 9999. */
const lastWallMs = Date.UTC(10_000, 0, 1) - 1;

const capacityMax = ({ name }: Limit): number => (/^pool:[^:]+$/.test(name) ? poolConcurrencyMax : unitsMax);

function range(
  field: string,
  value: (limit: Limit) => number | undefined,
  min: number,
  max: (limit: Limit) => number,
): LimitRule {
  return {
    field,
    holds: (limit) => {
      const given = value(limit);
      return given === undefined || (Number.isSafeInteger(given) && given >= min && given <= max(limit));
    },
    text: (limit) => `${value(limit)} is out of bounds: a whole number from ${min} to ${max(limit)} is needed`,
  };
}

const rules: readonly LimitRule[] = [
  range("limit.capacity", ({ capacity }) => capacity, 0, capacityMax),
  range("limit.revert_capacity", ({ revertCapacity }) => revertCapacity, 0, capacityMax),
  {
    field: "limit.expire_time",
    holds: ({ expireMs }) => expireMs === undefined || (expireMs >= 0 && expireMs <= lastWallMs),
    text: () => "isn't a time from 1970 to 9999",
  },
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
];

/** What is wrong with a limit as it would be; the same at every door: creation, update, a pool's bounds, a temporary change and what follows it. */
export function limitProblem(limit: Limit): CatalogueRefused | undefined {
  const broken = rules.find((rule) => !rule.holds(limit));
  return broken && { refused: "INVALID_FIELD", field: broken.field, message: broken.text(limit) };
}
