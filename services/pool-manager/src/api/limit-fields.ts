import { FieldCheck, limitPattern } from "@berth/chassis/grpc";
import { pool as wire } from "@berth/contracts";
import { limitBounds } from "../domain/bounds.js";
import type { LimitSpec } from "../domain/catalogue.js";
import { overCommitted } from "../domain/limits.js";
import type { LimitStatus } from "../domain/pool.js";
import { dateOf, durationOf } from "./convert.js";
import { type Field, patchOf, specOf, wireOf } from "./fields.js";

const { unitsMax, rateMax, ratePeriodMinMs, ratePeriodMaxMs, temporaryMaxMs } = limitBounds;

type LimitField = Field<wire.Limit, LimitSpec>;

/** The fields of a limit; their order is part of the digest that tells a repeated creation from another one. */
const fields: readonly LimitField[] = [
  units("capacity", "capacity"),
  units("reserve", "reserve"),
  {
    path: "reserve_priority",
    check: () => undefined,
    populated: ({ reservePriority }) => reservePriority !== 0,
    read: ({ reservePriority }) => ({ reservePriority }),
    write: ({ reservePriority }) => ({ reservePriority }),
  },
  units("rate", "rate", rateMax),
  {
    path: "rate_period",
    check: (check, limit) => {
      if (limit.rate > 0n || limit.ratePeriod !== undefined)
        check.range("limit.rate_period", msOf(limit.ratePeriod), ratePeriodMinMs, ratePeriodMaxMs);
    },
    populated: ({ ratePeriod }) => ratePeriod !== undefined,
    read: ({ ratePeriod }) => ({ ratePeriodMs: ratePeriod === undefined ? ratePeriodMinMs : msOf(ratePeriod) }),
    write: ({ rate, ratePeriodMs }) => ({ ratePeriod: rate > 0 ? durationOf(ratePeriodMs) : undefined }),
  },
  {
    path: "expire_time",
    check: (check, { expireTime }) =>
      void check.that(!Number.isNaN(expireTime?.getTime()), "limit.expire_time", "isn't a time from 1970 to 9999"),
    populated: ({ expireTime }) => expireTime !== undefined,
    read: ({ expireTime }) => maybe("expireMs", expireTime?.getTime()),
    write: ({ expireMs }) => ({ expireTime: dateOf(expireMs) }),
  },
  {
    path: "revert_capacity",
    check: (check, { revertCapacity }) => void check.range("limit.revert_capacity", revertCapacity ?? 0, 0, unitsMax),
    // Presence counts, not the value: 0 after a temporary capacity is a capacity.
    populated: ({ revertCapacity }) => revertCapacity !== undefined,
    read: ({ revertCapacity }) =>
      maybe("revertCapacity", revertCapacity === undefined ? undefined : Number(revertCapacity)),
    write: ({ revertCapacity }) => ({
      revertCapacity: revertCapacity === undefined ? undefined : BigInt(revertCapacity),
    }),
  },
  {
    path: "reason",
    check: (check, { reason }) => void check.length("limit.reason", reason, 0, 1_024),
    populated: ({ reason }) => reason !== "",
    read: ({ reason }) => ({ reason }),
    write: ({ reason }) => ({ reason }),
  },
];

function units(path: string, name: "capacity" | "reserve" | "rate", max = unitsMax): LimitField {
  return {
    path,
    check: (check, limit) => void check.range(`limit.${path}`, limit[name], 0, max),
    populated: (limit) => limit[name] !== 0n,
    read: (limit) => ({ [name]: Number(limit[name]) }),
    write: (spec) => ({ [name]: BigInt(spec[name]) }),
  };
}

/** A value that an update may take away: its key is there all the same. */
function maybe(name: "expireMs" | "revertCapacity", value: number | undefined): Partial<LimitSpec> {
  return { [name]: value } as Partial<LimitSpec>;
}

/** Checks a limit's fields, each by itself; what they must be together is the domain's to say. */
export function checkLimit(limit: wire.Limit): void {
  const check = new FieldCheck().name("limit.limit", limit.limit, limitPattern);
  if (limit.ownerSet !== "") check.name("limit.owner_set", limit.ownerSet);
  for (const field of fields) field.check(check, limit);
  check.throwIfAny();
}

/** Checks how an update is to be made, and gives the time for which its capacity is to hold; undefined if it doesn't say. */
export function temporaryMs({ limit, duration, endTemporary }: wire.UpdateLimitRequest): number | undefined {
  if (duration === undefined) return undefined;
  const forMs = msOf(duration);
  new FieldCheck()
    .range("duration", forMs, 1, temporaryMaxMs)
    .that(limit?.expireTime === undefined, "duration", "and limit.expire_time say the same: give one of them")
    .that(!endTemporary, "duration", "contradicts end_temporary: give one of them")
    .throwIfAny();
  return forMs;
}

function msOf(duration: wire.Limit["ratePeriod"]): number {
  return duration ? Number(duration.seconds) * 1_000 + Math.round(duration.nanos / 1e6) : 0;
}

/** A limit from the wire. */
export function limitSpec(limit: wire.Limit): LimitSpec {
  // Not one of the fields: it is said once, on creation, and never changed.
  const owner = limit.ownerSet === "" ? {} : { ownerSet: limit.ownerSet };
  return { name: limit.limit, ...specOf(fields, limit), ...owner } as LimitSpec;
}

/** What an update of a limit sets. */
export function limitPatch(limit: wire.Limit, mask: readonly string[] | undefined): Partial<LimitSpec> {
  return patchOf(fields, limit, mask);
}

/** A limit for the wire. */
export function limitToWire(limit: LimitStatus): wire.Limit {
  const { name, capacity, used, version } = limit;
  return wire.Limit.fromPartial({
    limit: name,
    used: BigInt(used),
    overCommitted: BigInt(overCommitted(capacity, used)),
    etag: String(version),
    ownerSet: limit.ownerSet ?? "",
    ...wireOf(fields, limit),
  });
}
