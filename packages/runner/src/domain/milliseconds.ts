/** Milliseconds of a duration; undefined if it isn't set. */
export function milliseconds(duration: { seconds: bigint; nanos: number } | undefined): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
