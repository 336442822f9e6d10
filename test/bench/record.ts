/**
 * The workload's own record, kept by the handler and by nobody of Berth: how often each task ran, and how many ran at once under each
 * limit that they are supposed to hold.
 */
export class RunRecord {
  /** Largest number of runs at once, by limit. */
  readonly most = new Map<string, number>();
  private readonly runs = new Map<string, number>();
  private readonly running = new Map<string, number>();

  /** A run begins, holding `limits`. */
  begin(task: string, limits: readonly string[]): void {
    this.runs.set(task, (this.runs.get(task) ?? 0) + 1);
    for (const limit of limits) {
      const now = (this.running.get(limit) ?? 0) + 1;
      this.running.set(limit, now);
      if (now > (this.most.get(limit) ?? 0)) this.most.set(limit, now);
    }
  }

  /** It ends. */
  end(limits: readonly string[]): void {
    for (const limit of limits) this.running.set(limit, (this.running.get(limit) ?? 0) - 1);
  }

  /** Of the tasks in `wanted`: how many never ran, and how many ran more than once; and runs of tasks that nobody submitted. */
  compare(wanted: ReadonlySet<string>): { missing: number; repeated: number; unknown: number } {
    const counts = { missing: 0, repeated: 0, unknown: 0 };
    for (const task of wanted) {
      const runs = this.runs.get(task) ?? 0;
      if (runs === 0) counts.missing++;
      if (runs > 1) counts.repeated++;
    }
    for (const task of this.runs.keys()) if (!wanted.has(task)) counts.unknown++;
    return counts;
  }

  /** Limits under which more ran at once than `capacities` allow. */
  exceeded(capacities: ReadonlyMap<string, number>): string[] {
    return [...this.most].filter(([limit, most]) => !(most <= (capacities.get(limit) ?? 0))).map(([limit]) => limit);
  }
}
