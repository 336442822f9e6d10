/** What a {@link RankedSet} orders by: the rank, then the name, so that the order is total and the same for everybody. */
export interface Ranked {
  readonly rank: number;
  readonly name: string;
}

/** Items of one chunk before it is split. Larger chunks move more memory at each insertion, smaller ones lengthen the list of chunks. */
const chunkMost = 512;

/** Orders two items: negative if `a` goes first. */
export function byRank(a: Ranked, b: Ranked): number {
  return a.rank - b.rank || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/**
 * A set in the order of ranks: both ends, insertion and removal cost a binary search and a short move of memory,
 * counting and seeking a walk over the chunks. (A heap has no order to list and no cheap count.)
 */
export class RankedSet<Item extends Ranked> {
  private readonly chunks: Item[][] = [];
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The item that goes first. */
  first(): Item | undefined {
    return this.chunks[0]?.[0];
  }

  /** The item that goes last. */
  last(): Item | undefined {
    return this.chunks.at(-1)?.at(-1);
  }

  /** Adds an item. @throws Error if one of the same rank and name is there. */
  add(item: Item): void {
    const at = this.chunkOf(item);
    const chunk = this.chunks[at];
    if (!chunk) {
      this.chunks.push([item]);
      this.count++;
      return;
    }
    const index = firstNotBefore(chunk, item);
    const there = chunk[index];
    if (there && byRank(there, item) === 0) throw new Error(`ranked set: ${item.name} is there already`);
    chunk.splice(index, 0, item);
    this.count++;
    if (chunk.length > chunkMost) this.chunks.splice(at + 1, 0, chunk.splice(chunkMost / 2));
  }

  /** Removes an item; false if it isn't there. */
  remove(item: Item): boolean {
    const at = this.chunkOf(item);
    const chunk = this.chunks[at];
    if (!chunk) return false;
    const index = firstNotBefore(chunk, item);
    const there = chunk[index];
    if (!there || byRank(there, item) !== 0) return false;
    if (index === 0) chunk.shift();
    else chunk.splice(index, 1);
    if (chunk.length === 0) this.chunks.splice(at, 1);
    this.count--;
    return true;
  }

  /** Items that go before `key`. */
  countBefore(key: Ranked): number {
    const at = this.chunkOf(key);
    let before = 0;
    for (let i = 0; i < at; i++) before += this.chunks[i]?.length ?? 0;
    return before + firstNotBefore(this.chunks[at] ?? [], key);
  }

  /** Items in order, from the first one behind `key`; all of them without it. The set must not change meanwhile. */
  *behind(key?: Ranked): Generator<Item, void, undefined> {
    let at = key ? this.chunkOf(key) : 0;
    let index = key ? firstNotBefore(this.chunks[at] ?? [], key) : 0;
    for (; at < this.chunks.length; at++, index = 0) {
      const chunk = this.chunks[at] as Item[];
      for (; index < chunk.length; index++) {
        const item = chunk[index] as Item;
        if (!key || byRank(item, key) > 0) yield item;
      }
    }
  }

  /** The first chunk whose last item isn't before `key`, or the last chunk. */
  private chunkOf(key: Ranked): number {
    let low = 0;
    let high = this.chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const last = this.chunks[middle]?.at(-1) as Item;
      if (byRank(last, key) < 0) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low);
  }
}

function firstNotBefore(chunk: readonly Ranked[], key: Ranked): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (byRank(chunk[middle] as Ranked, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
