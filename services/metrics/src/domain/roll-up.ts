/** How busy a limit was over one sample or several. */
export interface Point {
  /** When, or the beginning of the span, wall clock, milliseconds since 1970. */
  readonly wallMs: number;
  /** Sum of the units used at the samples within. */
  readonly usedSum: number;
  /** Samples within: 1 and more. */
  readonly samples: number;
  /** Most units used at any of them. */
  readonly usedMax: number;
  /** Capacity at the last of them. */
  readonly capacity: number;
}

/** A minute, the span that samples are kept as after a day. */
export const minuteMs = 60_000;

/** The beginning of the span that a moment lies in. Spans begin at multiples of their length since 1970. */
export function spanStart(wallMs: number, spanMs: number): number {
  return Math.floor(wallMs / spanMs) * spanMs;
}

/** Two neighbouring points as one; `later` is the one behind. */
export function merged(earlier: Point, later: Point): Point {
  return {
    wallMs: earlier.wallMs,
    usedSum: earlier.usedSum + later.usedSum,
    samples: earlier.samples + later.samples,
    usedMax: Math.max(earlier.usedMax, later.usedMax),
    capacity: later.capacity,
  };
}

/** Rolls points, oldest first, up into one a span. A span without samples gives no point: a gap stays a gap. */
export function rolledUp(points: readonly Point[], spanMs: number): Point[] {
  const rolled: Point[] = [];
  for (const point of points) {
    const wallMs = spanStart(point.wallMs, spanMs);
    const last = rolled.at(-1);
    if (last?.wallMs === wallMs) rolled[rolled.length - 1] = merged(last, point);
    else rolled.push({ ...point, wallMs });
  }
  return rolled;
}

/** Where reading goes over from minutes to single samples, given the last round: the first whole minute of which no sample was deleted. */
export function rawFrom(lastWallMs: number, rawKeptMs: number): number {
  return spanStart(lastWallMs - rawKeptMs, minuteMs) + minuteMs;
}
