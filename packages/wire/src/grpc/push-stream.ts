/** Settings of a {@link PushStream}. */
export interface PushStreamOptions {
  /** Most items that wait to be taken; default 1,000. */
  readonly maxItems?: number;
}

/**
 * An async iterable that one side pushes into and the other takes from: the request stream of a client, or a server stream that is fed
 * by events. Bounded: `push` returns false, and keeps nothing, when the reader is that far behind.
 */
export class PushStream<Item> implements AsyncIterable<Item> {
  private readonly items: Item[] = [];
  private readonly maxItems: number;
  private wake: (() => void) | undefined;
  private failure: Error | undefined;
  private closed = false;

  constructor(options: PushStreamOptions = {}) {
    this.maxItems = options.maxItems ?? 1_000;
  }

  /** Items that wait. */
  get size(): number {
    return this.items.length;
  }

  /** True after `end`, `fail`, or the reader's leaving. */
  get ended(): boolean {
    return this.closed;
  }

  /** Adds an item. False if the stream has ended or is full; the item isn't kept then. */
  push(item: Item): boolean {
    if (this.closed || this.items.length >= this.maxItems) return false;
    this.items.push(item);
    this.wake?.();
    return true;
  }

  /** Ends the stream behind the items that wait. */
  end(): void {
    this.closed = true;
    this.wake?.();
  }

  /** Ends the stream with an error, behind the items that wait. */
  fail(error: Error): void {
    this.failure ??= error;
    this.end();
  }

  /** Takes the items; ends when the stream does. One reader only. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    try {
      for (;;) {
        while (this.items.length > 0) yield this.items.shift() as Item;
        if (this.closed) break;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
      }
      if (this.failure) throw this.failure;
    } finally {
      this.closed = true;
    }
  }
}
