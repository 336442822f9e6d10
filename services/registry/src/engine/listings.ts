import type { Filter } from "../domain/commands.js";
import type { TaskSnapshot } from "../domain/task.js";
import type { Feed } from "./feed.js";

/** Finished tasks in one page of a listing: its message is small enough that hundreds of readers who never read cost little. */
export const listingPage = 100;
/** Pages that are given out in one turn of the event loop; whoever comes later waits for the next turns, in the order of coming. */
const pagesPerTurn = 8;
/** Pages that are kept for others who begin at the same state. */
const pagesKept = 64;

/** What listings read. */
export interface ListingSource<Page> {
  /** Tasks that aren't final, changed after a revision. */
  live(
    filter: Filter,
    afterRevision: number,
  ): Promise<{ readonly tasks: readonly TaskSnapshot[]; readonly revision: number }>;
  /** Final tasks after a revision, up to `listingPage`; undefined if there are none. */
  finals(filter: Filter, full: boolean, afterRevision: number): Promise<Page | undefined>;
}

/**
 * The beginnings of watches. They take turns, so that a crowd of them leaves the event loop to everybody else, and share what they read as
 * long as nothing was committed in between: a page is that of a revision of the feed, and a watcher that opened before it asks sees
 * everything later by the feed.
 */
export class Listings<Page> {
  private readonly source: ListingSource<Page>;
  private readonly feed: Feed;
  private readonly kept = new Map<string, Promise<Page | undefined>>();
  private readonly keptLive = new Map<string, ReturnType<ListingSource<Page>["live"]>>();
  private keptRevision = -1;
  private readonly queue: (() => void)[] = [];
  private turning = false;

  constructor(source: ListingSource<Page>, feed: Feed) {
    this.source = source;
    this.feed = feed;
  }

  /** Live tasks, shared with whoever asks at the same state. Don't change them. */
  async live(filter: Filter, afterRevision: number): ReturnType<ListingSource<Page>["live"]> {
    await this.turn();
    return this.shared(this.keptLive, 1, `${afterRevision} ${JSON.stringify(filter)}`, () =>
      this.source.live(filter, afterRevision),
    );
  }

  /** The next page of final tasks. */
  async finals(filter: Filter, full: boolean, afterRevision: number): Promise<Page | undefined> {
    await this.turn();
    const read = () => this.source.finals(filter, full, afterRevision);
    // What whole tasks hold has no small bound: those are read for each.
    return full ? read() : this.shared(this.kept, pagesKept, `${afterRevision} ${JSON.stringify(filter)}`, read);
  }

  /** Waits until it is the caller's turn. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.queue.push(resolve);
      if (this.turning) return;
      this.turning = true;
      setImmediate(() => this.next());
    });
  }

  private next(): void {
    for (const go of this.queue.splice(0, pagesPerTurn)) go();
    this.turning = this.queue.length > 0;
    if (this.turning) setImmediate(() => this.next());
  }

  private shared<Result>(
    kept: Map<string, Promise<Result>>,
    most: number,
    key: string,
    read: () => Promise<Result>,
  ): Promise<Result> {
    if (this.keptRevision !== this.feed.revision) {
      this.kept.clear();
      this.keptLive.clear();
      this.keptRevision = this.feed.revision;
    }
    const known = kept.get(key);
    if (known !== undefined) return known;
    const reading = read();
    kept.set(key, reading);
    reading.catch(() => kept.delete(key));
    const oldest = kept.keys().next().value;
    if (kept.size > most && oldest !== undefined) kept.delete(oldest);
    return reading;
  }
}
