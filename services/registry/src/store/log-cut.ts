import type { LogPiece } from "../engine/logs.js";

/** What is kept of an attempt's output: `head` bytes from its beginning, `tail` bytes from its end. */
export interface Kept {
  /** Offset behind the last byte that came. */
  readonly nextAt: number;
  readonly head: number;
  readonly tail: number;
}

/** Before the first piece. */
export const nothingKept: Kept = { nextAt: 0, head: 0, tail: 0 };

/** Bytes kept from the beginning; what lies at this offset or behind it is tail. */
export function headMax(limitBytes: number): number {
  return Math.floor(limitBytes / 2);
}

/** Bytes kept from the end. */
export function tailMax(limitBytes: number): number {
  return limitBytes - headMax(limitBytes);
}

/**
 * What is new of a piece, as one part for the head and one for the tail, and what is kept with it. The tail may have become too long by
 * it; the store then deletes its oldest pieces. No parts: everything in it came before.
 */
export function split(
  before: Kept,
  { offset, data }: LogPiece,
  limitBytes: number,
): { readonly parts: readonly { readonly at: number; readonly data: Buffer }[]; readonly kept: Kept } {
  const skip = Math.max(0, before.nextAt - offset);
  if (skip >= data.length) return { parts: [], kept: before };
  const fresh = Buffer.from(data.buffer, data.byteOffset + skip, data.length - skip);
  const at = offset + skip;
  const inHead = Math.min(fresh.length, Math.max(0, headMax(limitBytes) - at));
  const parts = [
    { at, data: fresh.subarray(0, inHead) },
    { at: at + inHead, data: fresh.subarray(inHead) },
  ].filter((part) => part.data.length > 0);
  const kept = {
    nextAt: offset + data.length,
    head: before.head + inHead,
    tail: before.tail + fresh.length - inHead,
  };
  return { parts, kept };
}
