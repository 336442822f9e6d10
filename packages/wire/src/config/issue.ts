import type { z } from "zod";
import { show } from "./problem.js";

/** A finding of a schema, with unions and keys resolved to what they come down to. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The finding is about a key, not about the value under it. */
  readonly aboutKey: boolean;
  /** The key isn't known; its name. */
  readonly unknownKey?: string;
}

type Issue = z.core.$ZodIssue;

/** Checks a value; gives the parsed one or the findings. */
export function check<S extends z.ZodType>(schema: S, value: unknown): { data: z.output<S> } | { findings: Finding[] } {
  const parsed = schema.safeParse(value, { reportInput: true, error: (issue) => own + describe(issue as Issue) });
  if (parsed.success) return { data: parsed.data };
  return { findings: parsed.error.issues.filter(isTightest).flatMap((issue) => findings(issue, [])) };
}

/** Whole numbers have bounds of their own (±2^53); where the schema's bound is broken too, that one alone is told. */
function isTightest(issue: Issue, _: number, all: readonly Issue[]): boolean {
  if ((issue.code !== "too_big" && issue.code !== "too_small") || !("note" in issue)) return true;
  return !all.some(
    (other) => other !== issue && other.code === issue.code && String(other.path) === String(issue.path),
  );
}

/** Marks messages of ours; a message without it comes from the schema's author and follows the value. */
const own = "\u0000";

function findings(issue: Issue, base: readonly PropertyKey[]): Finding[] {
  const path = [...base, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: "is not known here",
      aboutKey: true,
      unknownKey: key,
    }));
  }
  if (issue.code === "invalid_key") {
    const inner = issue.issues.flatMap((each) => findings(each, path));
    return inner.map((each) => ({ ...each, path, aboutKey: true }));
  }
  if (issue.code === "invalid_union") {
    // A union's own message is about its whole; one bad entry deep inside an alternative is told as that entry.
    const branches = issue.errors as Issue[][];
    const branch = issue.message.startsWith(own) ? closestBranch(branches) : branches.find(isDeep);
    if (branch) return branch.flatMap((each) => findings(each, path));
  }
  return [{ path, message: message(issue), aboutKey: false }];
}

/** The alternative that was probably meant: the one that got past the type of the whole. None if all failed there. */
function closestBranch(branches: readonly Issue[][]): Issue[] | undefined {
  return branches.find(
    (issues) => issues.length > 0 && issues.every((issue) => issue.path.length > 0 || issue.code !== "invalid_type"),
  );
}

function isDeep(issues: readonly Issue[]): boolean {
  return issues.length > 0 && issues.every((issue) => issue.path.length > 0);
}

function message(issue: Issue): string {
  if (issue.message.startsWith(own)) return issue.message.slice(own.length);
  const scalar = issue.input !== undefined && (issue.input === null || typeof issue.input !== "object");
  return scalar && !issue.message.startsWith(show(issue.input))
    ? `${show(issue.input)} ${issue.message}`
    : issue.message;
}

const words: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function describe(issue: Issue): string {
  const input = issue.input;
  switch (issue.code) {
    case "invalid_type": {
      const wanted = words["format" in issue && issue.format === "safeint" ? "int" : issue.expected] ?? issue.expected;
      return input === undefined ? `is missing; it must be ${wanted}` : `${show(input)} is not ${wanted}`;
    }
    case "too_small":
      return bound(issue.origin, input, issue.minimum, issue.inclusive ?? true, "below", "minimum");
    case "too_big":
      return bound(issue.origin, input, issue.maximum, issue.inclusive ?? true, "above", "maximum");
    case "invalid_value":
      return `${show(input)} is not one of: ${issue.values.map(String).join(", ")}`;
    case "invalid_format":
      return `${show(input)} ${issue.pattern ? `doesn't match ${issue.pattern}` : `is not a valid ${issue.format}`}`;
    case "not_multiple_of":
      return `${show(input)} is not a multiple of ${issue.divisor}`;
    case "invalid_union":
      return union(issue);
    default:
      return `${show(input)} is not valid`;
  }
}

function bound(
  origin: string,
  input: unknown,
  edge: number | bigint,
  inclusive: boolean,
  side: string,
  word: string,
): string {
  const sized = origin === "string" || origin === "array" || origin === "set" || origin === "map";
  const length = typeof input === "string" || Array.isArray(input) ? input.length : undefined;
  if (sized && length !== undefined) {
    const things = origin === "string" ? "characters" : "items";
    return `has ${length} ${things}, ${side} the ${word} of ${edge}`;
  }
  return inclusive
    ? `${show(input)} is ${side} the ${word}, ${edge}`
    : `${show(input)} must be ${side === "below" ? "above" : "below"} ${edge}`;
}

function union(issue: z.core.$ZodIssueInvalidUnion): string {
  const { discriminator, options } = issue as { discriminator?: string; options?: readonly unknown[] };
  if (discriminator !== undefined) {
    const given = (issue.input as Record<string, unknown> | undefined)?.[discriminator];
    return `${show(given)} is not one of: ${(options ?? []).map(String).join(", ")}`;
  }
  const wanted = (issue.errors as Issue[][])
    .flat()
    .map((each) => (each.code === "invalid_type" ? (words[each.expected] ?? each.expected) : undefined));
  const known = [...new Set(wanted.filter((each) => each !== undefined))];
  const start = issue.input === undefined ? "is missing; it must be" : `${show(issue.input)} is not`;
  return known.length > 0 ? `${start} ${known.join(" or ")}` : `${show(issue.input)} is not valid`;
}
