import { Incidents } from "./incidents.js";
import { Random } from "./random.js";

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Lines of the trace that are kept for the report of a failure. */
const linesKept = 400;

/** True virtual time, chance, and the trace. Everything that happens is an event here; ties go by the order they were set in. */
export class World {
  nowMs = 0;
  steps = 0;
  /** Set when promises may have to settle before time goes on. */
  touched = false;
  readonly random: Random;
  readonly incidents = new Incidents();
  readonly lines: string[] = [];
  private readonly heap: Event[] = [];
  private orders = 0;
  private hashed = 0x811c9dc5;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Hash of everything traced so far. */
  get hash(): string {
    return (this.hashed >>> 0).toString(16).padStart(8, "0");
  }

  /** Calls back after so many true milliseconds. */
  after(ms: number, run: () => void): void {
    const { heap } = this;
    const event: Event = { atMs: this.nowMs + Math.max(0, ms), order: this.orders++, run };
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent] as Event;
      if (!before(event, other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = event;
  }

  /** Runs the next event. False if there is none, or none before `untilMs`. */
  step(untilMs: number): boolean {
    const next = this.heap[0];
    if (!next || next.atMs > untilMs) return false;
    this.pop();
    this.nowMs = next.atMs;
    this.steps++;
    next.run();
    return true;
  }

  /** Notes what happened. The hash of all of it tells whether two runs were the same. */
  trace(text: string): void {
    const line = `${this.nowMs.toFixed(3)} ${text}`;
    let hash = this.hashed;
    for (let i = 0; i < line.length; i++) hash = Math.imul(hash ^ line.charCodeAt(i), 0x01000193);
    this.hashed = hash;
    this.lines.push(line);
    if (this.lines.length > 2 * linesKept) this.lines.splice(0, linesKept);
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function before(left: Event, right: Event): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
