import type { Readable } from "node:stream";
import type { Clock, Timer } from "@berth/chassis/clock";

/** Bytes that are read from all pipes in one turn before they are left alone until the next. */
export const turnBytesMax = 1024 * 1024;
/** Length of a turn, milliseconds: together, 100 MB/s of all runs. */
export const turnMs = 10;

/**
 * What the pipes of all runs may take of the event loop together. A run that writes without end is stopped by its full pipe, as a terminal that
 * is slow stops it, and not by the runner's renewals being late. Every pipe that has something gets at least one piece (64 KiB) each turn.
 */
export class ReadingShare {
  private readonly clock: Clock;
  private readonly waiting = new Set<Readable>();
  private spent = 0;
  private turn: Timer | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Counts what came from a pipe, and pauses it until the next turn when this one's share is spent. */
  took(pipe: Readable, bytes: number): void {
    this.spent += bytes;
    this.turn ??= this.clock.setTimer(turnMs, () => this.next(), { unref: true });
    if (this.spent < turnBytesMax) return;
    pipe.pause();
    this.waiting.add(pipe);
  }

  private next(): void {
    this.turn = undefined;
    this.spent = 0;
    const resumed = [...this.waiting];
    this.waiting.clear();
    for (const pipe of resumed) pipe.resume();
  }
}
