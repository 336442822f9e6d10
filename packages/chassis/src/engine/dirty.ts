/**
 * The rows that have changed since they were last written, oldest change first.
 *
 * A row stays here from its first unwritten change on; writing it takes it out. So the first entry tells from which commit on the
 * journal is still needed, and writing a few of the oldest with every commit keeps that from standing still.
 */
export class DirtyRows {
  private readonly firstChange = new Map<string, number>();

  /** Notes that commit `n` changed the row `key`. */
  add(key: string, n: number): void {
    if (!this.firstChange.has(key)) this.firstChange.set(key, n);
  }

  /** Notes that the row has been written, or needn't be. */
  delete(key: string): void {
    this.firstChange.delete(key);
  }

  /** Keys whose first unwritten change is in a commit before `n`, oldest first, at most `max`. */
  before(n: number, max: number): string[] {
    const keys: string[] = [];
    for (const [key, first] of this.firstChange) {
      if (first >= n || keys.length >= max) break;
      keys.push(key);
    }
    return keys;
  }

  /** Oldest commit with an unwritten change; undefined if everything is written. */
  get oldest(): number | undefined {
    return this.firstChange.values().next().value;
  }
}
