/** Faults, and what else a run must have seen to be worth anything. */
export const incidentKinds = [
  "lost",
  "doubled",
  "late",
  "reordered",
  "cut",
  "commits failed",
  "commits unknown",
  "store away",
  "manager killed",
  "manager paused",
  "takeover",
  "runner killed",
  "runner paused",
  "runner drained",
  "scheduler restarted",
  "cancelled",
  "limit changed",
  "wall clock stepped",
  "clock fast or slow",
  "stale word",
  "unknown lease",
  "handlers changed",
  "handler missing",
  "forged completion",
] as const;

/** One of them. */
export type IncidentKind = (typeof incidentKinds)[number];

/** How often each happened. */
export class Incidents {
  private readonly counts = new Map<IncidentKind, number>(incidentKinds.map((kind) => [kind, 0]));

  /** Counts one, or some. */
  add(kind: IncidentKind, times = 1): void {
    this.counts.set(kind, this.of(kind) + times);
  }

  /** How often one happened. */
  of(kind: IncidentKind): number {
    return this.counts.get(kind) ?? 0;
  }

  /** Adds those of another run. */
  addAll(other: Incidents): void {
    for (const kind of incidentKinds) this.add(kind, other.of(kind));
  }

  /** Those that never happened: a range of seeds without one of them has proved nothing about it. */
  get missing(): IncidentKind[] {
    return incidentKinds.filter((kind) => this.of(kind) === 0);
  }

  toString(): string {
    return incidentKinds.map((kind) => `${kind} ${this.of(kind)}`).join(", ");
  }
}
