/** A piece of a run's output. */
export interface Piece {
  /** Offset of its first byte in the whole output, both streams together. */
  readonly offset: number;
  /** The bytes; at most {@link pieceBytesMax}. */
  readonly data: Buffer;
  /** True for standard error. */
  readonly stderr: boolean;
}

/** Most bytes in one piece. */
export const pieceBytesMax = 64 * 1024;
/** What is kept of a run's output unless it asks for something else: 1 MiB. */
export const outputLimitDefault = 1024 * 1024;
/** The most that a run can ask to be kept: 16 MiB. */
export const outputLimitMax = 16 * 1024 * 1024;

/**
 * Output of one run that hasn't been taken by the sender yet: the first half of the limit as it came, and behind it a ring of the
 * newest bytes. When the ring is full its oldest pieces go, so that the middle is what gets lost, and memory is bounded by the limit
 * whatever the run writes and however slow the registry is.
 */
export class OutputBuffer {
  private readonly headBytes: number;
  private readonly ringBytes: number;
  private head: Piece[] = [];
  private ring: Piece[] = [];
  private ringSize = 0;
  private waitingSize = 0;
  private total = 0;

  constructor(limitBytes: number) {
    this.headBytes = Math.floor(limitBytes / 2);
    this.ringBytes = limitBytes - this.headBytes;
  }

  /** Bytes written so far, kept or not. */
  get totalBytes(): number {
    return this.total;
  }

  /** Bytes that wait to be taken. */
  get waitingBytes(): number {
    return this.waitingSize;
  }

  /** Adds what the run has written. */
  write(data: Buffer, stderr: boolean): void {
    for (let from = 0; from < data.length; ) {
      const inHead = this.total < this.headBytes;
      const room = inHead ? Math.min(pieceBytesMax, this.headBytes - this.total) : pieceBytesMax;
      const part = data.subarray(from, from + room);
      this.add({ offset: this.total, data: Buffer.from(part), stderr }, inHead);
      this.total += part.length;
      from += part.length;
    }
  }

  /** Takes pieces from the beginning, at most `maxBytes` of them together, but at least one if there is any. */
  take(maxBytes: number): Piece[] {
    const taken: Piece[] = [];
    let left = maxBytes;
    for (const queue of [this.head, this.ring]) {
      let count = 0;
      for (const piece of queue) {
        if (piece.data.length > left && taken.length + count > 0) break;
        left -= piece.data.length;
        count += 1;
        if (left <= 0) break;
      }
      const part = queue.splice(0, count);
      const bytes = part.reduce((sum, piece) => sum + piece.data.length, 0);
      this.waitingSize -= bytes;
      if (queue === this.ring) this.ringSize -= bytes;
      taken.push(...part);
      if (left <= 0 || queue.length > 0) break;
    }
    return taken;
  }

  /** True if the beginning waits: it is sent at once, the ring at a slower pace. */
  get headWaits(): boolean {
    return this.head.length > 0;
  }

  /** Forgets the oldest of the ring until at most `bytes` of it wait: every run gives way when all together hold too much. */
  shrinkRing(bytes: number): void {
    while (this.ringSize > bytes) this.dropOldest(this.ringSize - bytes);
  }

  private add(piece: Piece, inHead: boolean): void {
    this.waitingSize += piece.data.length;
    const queue = inHead ? this.head : this.ring;
    const last = queue[queue.length - 1];
    // A run that writes single bytes would otherwise make a piece of each.
    if (last && last.stderr === piece.stderr && last.data.length + piece.data.length <= 4096) {
      queue[queue.length - 1] = { ...last, data: Buffer.concat([last.data, piece.data]) };
    } else queue.push(piece);
    if (inHead) return;
    this.ringSize += piece.data.length;
    this.shrinkRing(this.ringBytes);
  }

  /** Drops up to `bytes` of the oldest piece. A piece may be larger than the whole ring: dropping it whole would lose the very end. */
  private dropOldest(bytes: number): void {
    const oldest = this.ring[0];
    if (!oldest) return;
    const dropped = Math.min(bytes, oldest.data.length);
    if (dropped === oldest.data.length) this.ring.shift();
    else {
      const { offset, data, stderr } = oldest;
      this.ring[0] = { offset: offset + dropped, data: data.subarray(dropped), stderr };
    }
    this.ringSize -= dropped;
    this.waitingSize -= dropped;
  }
}
