/** Grants that the mean looks back on. */
const waitsKept = 1_000;

/** The mean time from ready to granted over the last 1,000 grants. */
export class Waits {
  private readonly ring = new Float64Array(waitsKept);
  private next = 0;
  private taken = 0;

  /** Notes one wait, in milliseconds; a negative one, from clocks that differ, counts as 0. */
  note(waitMs: number): void {
    this.ring[this.next] = Math.max(0, waitMs);
    this.next = (this.next + 1) % waitsKept;
    this.taken = Math.min(waitsKept, this.taken + 1);
  }

  /** The mean in milliseconds; undefined if there was no grant. */
  get meanMs(): number | undefined {
    if (this.taken === 0) return undefined;
    let sum = 0;
    for (let i = 0; i < this.taken; i++) sum += this.ring[i] as number;
    return sum / this.taken;
  }
}
