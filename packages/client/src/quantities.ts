// Quantities between people and the wire.
import { duration as anyDuration } from "@berth/wire/config";
import { z } from "zod";

const longestMs = 365 * 86_400_000;

/** A duration for people: `0.4s`, `12s`, `3m05s`, `2h10m`, `4d3h`. Rounds; negative counts as 0. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 0.0995) return `${Math.round(seconds * 1_000)}ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h${two(Math.floor((whole % 3_600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d${Math.floor((whole % 86_400) / 3_600)}h`;
}

/** A size for people: `0 B`, `14 KiB`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let index = 0;
  while (value >= 1_024 && index < units.length - 1) {
    value /= 1_024;
    index += 1;
  }
  return `${index === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[index]}`;
}

/**
 * Schema of a duration in a file of ours, milliseconds when parsed. Unlike chassis' it demands the unit: `timeout: 10` would
 * otherwise end every run after ten milliseconds.
 */
export function duration(bounds: { min?: number; max?: number } = {}) {
  const error = "isn't a duration with its unit: write 500ms, 10s, 1m30s, 2h or 1d";
  return z
    .string({ error })
    .regex(/^\s*(\d+(\.\d+)?(ms|s|m|h|d))+\s*$/, { error })
    .pipe(anyDuration({ min: 1, max: longestMs, ...bounds }) as unknown as z.ZodType<number, string>);
}

/** A number of milliseconds as the wire has it. */
export function wireDuration(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}

/** Milliseconds of a duration of the wire; undefined stays undefined. */
export function wireMs(duration: { seconds: bigint; nanos: number } | undefined): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}
