import type { Violation } from "./submission.js";

const patterns = {
  name: /^[a-z0-9][a-z0-9._-]{0,62}$/,
  task: /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,126}$/,
  limit: /^[a-z0-9][a-z0-9._:-]{0,126}$/,
  // So that the pool-manager's name for it, with a set of 63 characters, is one.
  setLimit: /^[a-z0-9][a-z0-9._:-]{0,58}$/,
  variable: /^[A-Za-z_][A-Za-z0-9_]*$/,
};

/** Most violations that are collected; the rest is counted. */
const collectedMax = 100;

/** Collects everything that is wrong with a submission. */
export class Violations {
  readonly list: Violation[] = [];
  /** Violations in all, collected or not. */
  count = 0;
  /** Limits that tasks name and nobody has declared. */
  readonly undeclared: string[] = [];
  /** What several tasks lack: at which place of the list it is told, and how many lack it. */
  private readonly lacks = new Map<string, { readonly at: number; tasks: number }>();

  /** Notes one. */
  add(field: string, description: string): void {
    this.count++;
    if (this.list.length < collectedMax) this.list.push({ field, description });
  }

  /**
   * Notes what a task lacks. What several tasks lack is one violation, at the first of them, however many there are: it is
   * one thing to put right. True where it is told for the first time.
   */
  lack(what: string, field: string, description: (tasks: number) => string): boolean {
    const told = this.lacks.get(what);
    if (told === undefined) {
      this.lacks.set(what, { at: this.list.length, tasks: 1 });
      this.add(field, description(1));
      return true;
    }
    told.tasks++;
    const place = this.list[told.at];
    if (place) this.list[told.at] = { field: place.field, description: description(told.tasks) };
    return false;
  }

  /** Demands a condition. */
  that(ok: boolean, field: string, description: () => string): void {
    if (!ok) this.add(field, description());
  }

  /** Demands a name of one of the kinds. */
  name(field: string, value: string, kind: keyof typeof patterns = "name"): boolean {
    if (patterns[kind].test(value) && !value.includes("..")) return true;
    this.add(field, `${quote(value)} isn't a name: it must match ${patterns[kind].source} and not contain ".."`);
    return false;
  }

  /** Demands a whole number within bounds, both included. */
  whole(field: string, value: number, least: number, most: number): boolean {
    if (Number.isSafeInteger(value) && value >= least && value <= most) return true;
    this.add(field, `${value} is out of bounds: a whole number from ${least} to ${most} is needed`);
    return false;
  }

  /** Demands at most so many items, characters or bytes. */
  atMost(field: string, count: number, most: number, unit: string): void {
    if (count > most) this.add(field, `${count} ${unit}: at most ${most} are taken`);
  }
}

/** A value in quotes, cut to a length that fits a line. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
