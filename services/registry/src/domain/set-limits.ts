// Limits of a set's own: declared with a submission, made before its tasks can run, gone when the last has ended.
import type { Memory } from "./memory.js";
import type { SetLimit, Submission } from "./submission.js";
import { quote, type Violations } from "./violations.js";

/** Bounds of the limits of a set. */
export const setLimitBounds = {
  /** Limits that a set declares, its max_concurrency not counted. */
  limits: 16,
  rate: 10_000,
  ratePeriodMinMs: 1_000,
  ratePeriodMaxMs: 86_400_000,
} as const;

/** The name of `max_concurrency` among a set's limits. */
export const wholeSet = "";

/** What the pool-manager calls a limit of a set. No name of anybody else's begins with `set:`, and no set's has a colon. */
export function limitName(set: string, name: string): string {
  return name === wholeSet ? `set:${set}` : `set:${set}:${name}`;
}

/** The set whose own a limit is; undefined if it is nobody's. */
export function ownerOf(limit: string): string | undefined {
  return limit.startsWith("set:") ? limit.split(":")[1] : undefined;
}

/** Everything that a submission declares for its set. */
export function declaredBy({ limits, maxConcurrency }: Declaring): readonly SetLimit[] {
  if (maxConcurrency === 0) return limits;
  const { ratePeriodMinMs: ratePeriodMs } = setLimitBounds;
  const whole = { name: wholeSet, capacity: maxConcurrency, reserve: 0, reservePriority: 0, rate: 0, ratePeriodMs };
  return [...limits, whole];
}

type Declaring = Pick<Submission, "limits" | "maxConcurrency">;

/** Checks what a submission declares, each limit by itself. */
export function checkSetLimits(found: Violations, { limits, maxConcurrency }: Declaring): void {
  found.atMost("limits", limits.length, setLimitBounds.limits, "limits");
  found.whole("max_concurrency", maxConcurrency, 0, Number.MAX_SAFE_INTEGER);
  const { MAX_SAFE_INTEGER: most } = Number;
  const seen = new Set<string>();
  for (const limit of limits) {
    const at = `limits[${quote(limit.name)}]`;
    if (!found.name(at, limit.name, "setLimit")) continue;
    if (seen.has(limit.name)) found.add(at, "is declared twice");
    seen.add(limit.name);
    if (!found.whole(`${at}.capacity`, limit.capacity, 1, most)) continue;
    found.whole(`${at}.reserve`, limit.reserve, 0, limit.capacity);
    found.whole(`${at}.reserve_priority`, limit.reservePriority, -1_000, 1_000);
    found.whole(`${at}.rate`, limit.rate, 0, setLimitBounds.rate);
    const { ratePeriodMinMs, ratePeriodMaxMs } = setLimitBounds;
    if (limit.rate !== 0 || limit.ratePeriodMs !== ratePeriodMinMs)
      found.that(
        limit.ratePeriodMs >= ratePeriodMinMs && limit.ratePeriodMs <= ratePeriodMaxMs,
        `${at}.rate_period`,
        () => `${limit.ratePeriodMs / 1_000} s is out of bounds: 1 s to 24 h`,
      );
  }
}

/** Checks what is declared against what the set has: the same again, or more, but nothing otherwise. */
export function checkAgainstSet(
  found: Violations,
  set: string,
  declared: readonly SetLimit[],
  there: readonly SetLimit[],
): void {
  for (const limit of declared) {
    const before = there.find(({ name }) => name === limit.name);
    if (before === undefined || same(before, limit)) continue;
    const at = limit.name === wholeSet ? "max_concurrency" : `limits[${quote(limit.name)}]`;
    found.add(
      at,
      `set ${set} has it otherwise, with capacity ${before.capacity}: declare it the same or not at all, or change limit ${limitName(set, limit.name)}`,
    );
  }
  const count = merged(there, declared).filter(({ name }) => name !== wholeSet).length;
  found.that(
    count <= setLimitBounds.limits,
    "limits",
    () => `set ${set} would have ${count} limits: at most ${setLimitBounds.limits} are taken`,
  );
}

/** What a set has after a submission. */
export function merged(there: readonly SetLimit[], declared: readonly SetLimit[]): readonly SetLimit[] {
  const further = declared.filter(({ name }) => !there.some((each) => each.name === name));
  return further.length === 0 ? there : [...there, ...further];
}

/** The limits that a task occupies, by the pool-manager's names: the set's own where the submission declares them. */
export function occupied(
  set: string,
  asked: Readonly<Record<string, number>>,
  declared: readonly SetLimit[],
  all: readonly SetLimit[],
): Readonly<Record<string, number>> {
  if (all.length === 0) return asked;
  const own = new Set(declared.map(({ name }) => name));
  const entries = Object.entries(asked).map(([name, weight]): [string, number] => [
    own.has(name) ? limitName(set, name) : name,
    weight,
  ]);
  if (all.some(({ name }) => name === wholeSet)) entries.push([limitName(set, wholeSet), 1]);
  return Object.fromEntries(entries);
}

/** A limit that the pool-manager doesn't have, though a task that lives may need it. */
export interface LimitToMake {
  readonly set: string;
  readonly limit: SetLimit;
}

/**
 * What the pool-manager should be asked for: nothing that was asked is remembered. What live sets declare and the catalogue lacks is
 * to be made; what the catalogue has of sets without live tasks is to be deleted. So whatever is lost or late is asked again.
 */
export function limitWork({ sets, declaring, catalogue }: Memory): {
  readonly make: readonly LimitToMake[];
  readonly drop: readonly string[];
} {
  if (!catalogue) return { make: [], drop: [] };
  const make = [...declaring].flatMap((set) =>
    (sets.get(set)?.limits ?? [])
      .filter(({ name }) => catalogue.capacity(limitName(set, name)) === undefined)
      .map((limit) => ({ set, limit })),
  );
  return { make, drop: catalogue.ofSets.filter((limit) => !sets.has(ownerOf(limit) ?? "")) };
}

function same(left: SetLimit, right: SetLimit): boolean {
  return (
    left.capacity === right.capacity &&
    left.reserve === right.reserve &&
    left.reservePriority === right.reservePriority &&
    left.rate === right.rate &&
    left.ratePeriodMs === right.ratePeriodMs
  );
}
