// Limits of a set's own, as people write them.
import { registry } from "@berth/contracts";
import { z } from "zod";
import { duration, wireDuration } from "../quantities.js";

const name = z.string().regex(/^(?!.*\.\.)[a-z0-9][a-z0-9._:-]{0,58}$/, {
  error:
    "isn't a name of a set's limit: write 1 to 59 lower-case letters, digits, '.', '_', ':' or '-', beginning with a letter or digit, without '..'",
});
const units = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

const limit = z
  .union(
    [
      units,
      z.strictObject({
        capacity: units.describe("Units there are."),
        reserve: z.int().min(0).optional().describe("Part that only tasks of at least reservePriority may use."),
        reservePriority: z
          .int()
          .min(-1_000)
          .max(1_000)
          .optional()
          .describe("Least priority that may use the reserve. Default 0."),
        rate: z
          .strictObject({
            starts: z.int().min(1).max(10_000),
            period: duration({ min: 1_000, max: 86_400_000 }),
          })
          .optional()
          .describe("Most starts, 1 to 10000, within a period of 1s to 24h."),
      }),
    ],
    {
      error:
        "isn't a limit: write a whole capacity of 1 and more, or an object with capacity, reserve, reservePriority and rate",
    },
  )
  .superRefine((given, context) => {
    if (typeof given === "object" && (given.reserve ?? 0) > given.capacity)
      context.addIssue({
        code: "custom",
        path: ["reserve"],
        message: `${given.reserve} is above the capacity, ${given.capacity}`,
      });
  });

/** The limits at the top of a task file, and of `SubmitOptions`. */
export const setLimitsSchema = z.record(name, limit).refine((given) => Object.keys(given).length <= 16, {
  error: "are too many: a set has at most 16 limits of its own",
});
/** Most tasks of the set at once. */
export const setConcurrencySchema = units;

/** Limits of a set's own as people write them: a capacity, or an object, by name. */
export type SetLimitsInput = z.input<typeof setLimitsSchema>;

/** Limits of the wire. */
export function toSetLimits(limits: z.output<typeof setLimitsSchema> = {}): registry.SetLimit[] {
  return Object.entries(limits).map(([name, given]) => {
    const {
      capacity,
      reserve = 0,
      reservePriority = 0,
      rate,
    } = typeof given === "number" ? { capacity: given } : given;
    return registry.SetLimit.fromPartial({
      limit: name,
      capacity: BigInt(capacity),
      reserve: BigInt(reserve),
      reservePriority,
      ...(rate && { rate: BigInt(rate.starts), ratePeriod: wireDuration(rate.period) }),
    });
  });
}
