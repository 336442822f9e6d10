/**
 * How often bids had been overtaken that were taken out without a lease: withdrawn, or gone with their stream. They come again, mostly
 * at once, and go on from there. Only counts above 0 are kept, of the latest `max` bids.
 */
export class OvertakenMemory {
  private readonly counts = new Map<string, number>();
  private readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  /** Notes the count of a bid that is taken out. */
  note(key: string, overtaken: number): void {
    if (overtaken === 0) return;
    this.counts.delete(key);
    this.counts.set(key, overtaken);
    if (this.counts.size > this.max) this.counts.delete(this.counts.keys().next().value as string);
  }

  /** Takes the count of a bid that comes: 0 if none is known. */
  take(key: string): number {
    const overtaken = this.counts.get(key) ?? 0;
    if (overtaken > 0) this.counts.delete(key);
    return overtaken;
  }
}
