/** Void entries that are allowed whatever the size. */
const voidMin = 1_024;

interface Due {
  readonly atMs: number;
  readonly key: string;
}

/** Keys with a moment, earliest first: a binary heap. Setting a key again makes its earlier entry void. */
export class DueTimes {
  private readonly heap: Due[] = [];
  private readonly current = new Map<string, number>();

  /** Earliest moment; undefined if there is none. */
  get nextMs(): number | undefined {
    this.dropVoid();
    return this.heap[0]?.atMs;
  }

  /** Sets the moment of a key. */
  set(key: string, atMs: number): void {
    if (this.current.get(key) === atMs) return;
    this.current.set(key, atMs);
    if (this.heap.length > 2 * this.current.size + voidMin) this.dropAllVoid();
    else this.push({ atMs, key });
  }

  /** Takes a key out. */
  delete(key: string): void {
    this.current.delete(key);
  }

  /** Takes out the earliest key whose moment has come; undefined if there is none. */
  take(nowMs: number): string | undefined {
    this.dropVoid();
    const first = this.heap[0];
    if (!first || first.atMs > nowMs) return undefined;
    this.pop();
    this.current.delete(first.key);
    return first.key;
  }

  /** Entries in the heap, void ones included. */
  get size(): number {
    return this.heap.length;
  }

  /** Builds the heap anew of what stands, so that tasks which left long before their moment don't pile up. */
  private dropAllVoid(): void {
    this.heap.length = 0;
    for (const [key, atMs] of this.current) this.push({ atMs, key });
  }

  private dropVoid(): void {
    for (let first = this.heap[0]; first && this.current.get(first.key) !== first.atMs; first = this.heap[0])
      this.pop();
  }

  private push(due: Due): void {
    const { heap } = this;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Due).atMs <= due.atMs) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Due).atMs < (heap[child] as Due).atMs) child++;
      if ((heap[child] as Due).atMs >= last.atMs) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}
