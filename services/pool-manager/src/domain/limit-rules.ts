import type { Limit } from "./limits.js";

/** One thing that must be true of every limit, whichever door it came through. */
export interface LimitRule {
  /** The field of the wire that is to be mended. */
  readonly field: string;
  readonly holds: (limit: Limit) => boolean;
  /** The value, the bound, and what to do. */
  readonly text: (limit: Limit) => string;
}

/** A field that is a whole number from `min` to `max`, or absent. */
export function range(
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
