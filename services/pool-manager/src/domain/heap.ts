/** A binary heap: the item that goes before all others is on top. */
export class Heap<Item> {
  private readonly items: Item[] = [];
  private readonly before: (left: Item, right: Item) => boolean;

  constructor(before: (left: Item, right: Item) => boolean) {
    this.before = before;
  }

  /** Items in it. */
  get size(): number {
    return this.items.length;
  }

  /** The top; undefined if it is empty. */
  peek(): Item | undefined {
    return this.items[0];
  }

  /** Adds an item. */
  push(item: Item): void {
    const { items, before } = this;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] as Item;
      if (!before(item, above)) break;
      items[at] = above;
      at = parent;
    }
    items[at] = item;
  }

  /** Takes the top away. */
  pop(): Item | undefined {
    const { items, before } = this;
    const top = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1] as Item, items[child] as Item)) child++;
      if (!before(items[child] as Item, last)) break;
      items[at] = items[child] as Item;
      at = child;
    }
    items[at] = last;
    return top;
  }

  /** Keeps only the items that `keep` approves. */
  filter(keep: (item: Item) => boolean): void {
    const kept = this.items.splice(0).filter(keep);
    for (const item of kept) this.push(item);
  }

  [Symbol.iterator](): Iterator<Item> {
    return this.items[Symbol.iterator]();
  }
}
