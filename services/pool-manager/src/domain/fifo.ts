/**
 * First in, first out, in constant time. A Map whose first key is deleted again and again isn't that: its iterator steps over every
 * deleted entry, which at 200,000 remembered leases was 110 microseconds a release.
 */
export class Fifo<Item> {
  private items: Item[] = [];
  private head = 0;

  /** Items in it. */
  get size(): number {
    return this.items.length - this.head;
  }

  push(item: Item): void {
    this.items.push(item);
  }

  /** The oldest; undefined if it is empty. */
  peek(): Item | undefined {
    return this.items[this.head];
  }

  /** Takes the oldest away. */
  shift(): void {
    if (this.size === 0) return;
    this.head++;
    // What was taken is let go once it is half of the array, so each item is copied at most about once.
    if (this.head * 2 < this.items.length) return;
    this.items = this.items.slice(this.head);
    this.head = 0;
  }
}
