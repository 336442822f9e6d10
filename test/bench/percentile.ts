/** The value that the given share (0 to 1) of the values don't exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Median, 99th percentile and largest, for people. */
export function spread(values: readonly number[]): string {
  const [p50, p99, most] = [percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)];
  return `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, max ${most.toFixed(2)} ms`;
}
