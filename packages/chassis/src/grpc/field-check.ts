import { ReasonError } from "@berth/wire/grpc";

/** One field that is wrong. */
export interface Violation {
  /** Path of the field, such as `tasks[3].needs[0]`. */
  readonly field: string;
  /** What is wrong with it: the value, the bound, what to do. */
  readonly description: string;
}

/** Names of pools, runners, tenants and sets. */
export const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;
/** Ids of tasks within their set. */
export const taskIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,126}$/;
/** Names of limits. */
export const limitPattern = /^[a-z0-9][a-z0-9._:-]{0,126}$/;

/** True if a name matches a pattern and holds no `..`. */
export function isName(value: string, pattern: RegExp = namePattern): boolean {
  return pattern.test(value) && !value.includes("..");
}

/** Request ids: a UUID, or what else identifies a request; empty for none. */
const requestIdPattern = /^[A-Za-z0-9._-]{0,64}$/;

/** Most violations that one error names; the rest is counted. */
const violationsShown = 20;
/** Characters of a wrong value that are quoted. */
const quotedChars = 60;

/** Checks the fields of a request and throws once, naming every field that is wrong. */
export class FieldCheck {
  /** What was found so far. */
  readonly violations: Violation[] = [];

  /** Demands that a name match a pattern and hold no `..`. */
  name(field: string, value: string, pattern: RegExp = namePattern): this {
    return this.that(
      isName(value, pattern),
      field,
      `${quote(value)} isn't a name: it must match ${pattern.source} and not contain ".."`,
    );
  }

  /** Demands a request id, or none. */
  requestId(field: string, value: string): this {
    return this.that(requestIdPattern.test(value), field, requestIdProblem(value));
  }

  /** Demands a whole number from `min` to `max`, both included. */
  range(field: string, value: number | bigint, min: number | bigint, max: number | bigint): this {
    const whole = typeof value === "bigint" || Number.isSafeInteger(value);
    return this.that(
      whole && value >= min && value <= max,
      field,
      `${value} is out of bounds: a whole number from ${min} to ${max} is needed`,
    );
  }

  /** Demands a length from `min` to `max`, both included: characters, items or bytes. */
  length(field: string, value: string | readonly unknown[] | Uint8Array, min: number, max: number): this {
    const unit = typeof value === "string" ? "characters" : value instanceof Uint8Array ? "bytes" : "items";
    return this.that(
      value.length >= min && value.length <= max,
      field,
      `${value.length} ${unit}: ${min} to ${max} are needed`,
    );
  }

  /** Demands a condition. */
  that(ok: boolean, field: string, description: string): this {
    if (!ok) this.violations.push({ field, description });
    return this;
  }

  /** Throws INVALID_FIELD if anything was found. */
  throwIfAny(): void {
    if (this.violations.length > 0) throw violated(this.violations);
  }
}

/** The error of a request of which these fields are wrong. */
export function violated(violations: readonly Violation[]): ReasonError {
  const shown = violations.slice(0, violationsShown).map(({ field, description }) => `${field}: ${description}`);
  const rest = violations.length - shown.length;
  const message = shown.join("; ") + (rest > 0 ? `; and ${rest} more` : "");
  return new ReasonError("INVALID_FIELD", message, { fields: violations.slice(0, 100) });
}

/** What is wrong with a request id. */
function requestIdProblem(value: string): string {
  return `${quote(value)} isn't a request id: write a UUID (at most 64 letters, digits, '.', '_' and '-' are taken)`;
}

/** A value in quotes, cut to a length that fits a line. */
export function quote(value: string): string {
  return JSON.stringify(value.length > quotedChars ? `${value.slice(0, quotedChars)}…` : value);
}
