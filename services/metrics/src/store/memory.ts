import { minuteMs, type Point, rawFrom, rolledUp, spanStart } from "../domain/roll-up.js";
import type { Retention, Round, SampleStore } from "../engine/store.js";

type Points = Map<number, Point>;

/** Keeps the history in memory: for tests, and for a system that needs none after a restart. */
export class MemorySampleStore implements SampleStore {
  private readonly retention: Retention;
  private readonly raw = new Map<string, Points>();
  private readonly minutes = new Map<string, Points>();
  private last: Round | undefined;

  constructor(retention: Retention) {
    this.retention = retention;
  }

  async append(round: Round): Promise<void> {
    const { wallMs } = round;
    const minute = spanStart(wallMs, minuteMs);
    for (const { limit, used, capacity } of round.limits) {
      const points = pointsOf(this.raw, limit).set(wallMs, {
        wallMs,
        usedSum: used,
        samples: 1,
        usedMax: used,
        capacity,
      });
      const [rolled] = rolledUp(inOrder(points, minute, minute + minuteMs), minuteMs);
      if (rolled) pointsOf(this.minutes, limit).set(minute, rolled);
    }
    this.last = round;
    forget(this.raw, wallMs - this.retention.rawMs);
    forget(this.minutes, wallMs - this.retention.minutesMs);
  }

  async latest(): Promise<Round | undefined> {
    return this.last;
  }

  async read(limit: string, fromMs: number, toMs: number, max: number): Promise<Point[]> {
    if (!this.last) return [];
    const border = rawFrom(this.last.wallMs, this.retention.rawMs);
    const minutes = inOrder(this.minutes.get(limit), fromMs, Math.min(toMs, border));
    const raw = inOrder(this.raw.get(limit), Math.max(fromMs, border), toMs);
    return [...minutes, ...raw].slice(0, max);
  }

  async close(): Promise<void> {}
}

function pointsOf(all: Map<string, Points>, limit: string): Points {
  const points = all.get(limit) ?? new Map<number, Point>();
  all.set(limit, points);
  return points;
}

function inOrder(points: Points | undefined, fromMs: number, toMs: number): Point[] {
  return [...(points?.values() ?? [])]
    .filter(({ wallMs }) => wallMs >= fromMs && wallMs < toMs)
    .sort((a, b) => a.wallMs - b.wallMs);
}

function forget(all: Map<string, Points>, beforeMs: number): void {
  for (const points of all.values())
    for (const wallMs of [...points.keys()]) if (wallMs < beforeMs) points.delete(wallMs);
}
