import { Fifo } from "./fifo.js";
import { attemptKey, type Lease, outcomeMark, type ReleaseReason } from "./lease.js";

/** What is remembered of a released lease. */
export interface Remembered {
  readonly id: string;
  readonly key: string;
  readonly token: number;
  readonly runner: string;
  readonly reason: ReleaseReason;
  readonly ordinal: number;
  /** When it was remembered: see `Recent.sequence`. */
  readonly sequence: number;
  readonly mark: string;
  readonly lateMark: string;
}

function remember(lease: Lease, sequence: number): Remembered {
  return {
    id: lease.id,
    key: attemptKey(lease.task, lease.attempt),
    token: lease.token,
    runner: lease.runner,
    reason: lease.reason ?? "COMPLETED",
    ordinal: lease.ordinal,
    sequence,
    mark: outcomeMark(lease.outcome),
    lateMark: outcomeMark(lease.lateOutcome),
  };
}

/**
 * The latest released leases: whole until their row is committed, in short form after. Bounded; what has been forgotten is in the store,
 * and `forgottenThrough` lets a decision see that what a caller read there before may be out of date: it is compared with the `sequence`
 * of the moment when the caller looked into the memory.
 */
export class Recent {
  /** Released leases whose row isn't committed yet. */
  readonly unwritten = new Map<string, Lease>();
  private readonly byId = new Map<string, Remembered>();
  private readonly byKey = new Map<string, Remembered>();
  /** Lease ids in the order of release. */
  private readonly order = new Fifo<string>();
  private readonly max: number;
  /** Releases and late results since the start: the number of the latest. */
  sequence = 0;
  /** Largest of those numbers among what has been forgotten. */
  forgottenThrough = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** Adds a lease that was just released, or replaces it by one with a late result. */
  add(lease: Lease): void {
    const short = remember(lease, ++this.sequence);
    this.unwritten.set(lease.id, lease);
    if (!this.byId.has(short.id)) this.order.push(short.id);
    this.byId.set(short.id, short);
    this.byKey.set(short.key, short);
  }

  /** Its row is committed: what is beyond the bound may go. */
  written(id: string): void {
    this.unwritten.delete(id);
    if (this.byId.size <= this.max) return;
    const oldest = this.byId.get(this.order.peek() as string) as Remembered;
    if (this.unwritten.has(oldest.id)) return;
    this.order.shift();
    this.byId.delete(oldest.id);
    this.byKey.delete(oldest.key);
    this.forgottenThrough = Math.max(this.forgottenThrough, oldest.sequence);
  }

  /** Finds by lease id. */
  get(id: string): Remembered | undefined {
    return this.byId.get(id);
  }

  /** Finds by attempt. */
  ofAttempt(key: string): Remembered | undefined {
    return this.byKey.get(key);
  }
}
