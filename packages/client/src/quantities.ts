// Quantities as people write them: durations, sizes, shares of processors. One spelling for task files, pool files and flags.
import { z } from "zod";

const durationUnits: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const byteUnits: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const durationPattern = /^(\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const bytesPattern = /^\d+(?:\.\d+)?\s?(?:B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$/;
const cpuPattern = /^\d+m$/;

/** Milliseconds of `500ms`, `10s`, `1m30s`, `2h`, `1d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  return Math.round(parts.reduce((sum, part) => sum + Number(part[1]) * (durationUnits[part[2] ?? ""] ?? 0), 0));
}

/** Bytes of `512MiB`, `1.5GB`, `100 B`; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  if (!bytesPattern.test(text)) return undefined;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s?(\w+)$/.exec(text) ?? [];
  return Math.round(Number(amount) * (byteUnits[unit ?? ""] ?? 0));
}

/** A duration for people: `0.4s`, `12s`, `3m05s`, `2h10m`, `4d3h`. Rounds; negative counts as 0. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 0.0095) return `${Math.round(seconds * 1_000)}ms`;
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

/** Schema of a duration, milliseconds when parsed. `min` and `max` are milliseconds, both allowed. */
export function duration(options: { min?: number; max?: number } = {}) {
  const min = options.min ?? 1;
  const max = options.max ?? 365 * 86_400_000;
  const hint = "write a duration with its unit, such as 500ms, 10s, 1m30s, 2h or 1d";
  return z.string({ error: hint }).regex(durationPattern, { error: hint }).transform((text, context) => {
    const ms = parseDuration(text) ?? Number.NaN;
    if (ms >= min && ms <= max) return ms;
    const bound = ms < min ? `below the least, ${formatDuration(min)}` : `above the most, ${formatDuration(max)}`;
    context.addIssue({ code: "custom", message: `${text} is ${bound}` });
    return z.NEVER;
  });
}

/** Schema of a size, bytes when parsed: a whole number of bytes or text such as `512MiB`. */
export function bytes(options: { min?: number } = {}) {
  const min = options.min ?? 0;
  const hint = "write a size such as 512MiB or 2GB, or a whole number of bytes";
  return z
    .union([z.int().min(min).max(Number.MAX_SAFE_INTEGER), z.string().regex(bytesPattern)], { error: hint })
    .transform((value) => (typeof value === "number" ? value : (parseBytes(value) ?? 0)));
}

/** Schema of a share of processors, thousandths of a core when parsed: `0.5`, `2` or `500m`. */
export function cpu() {
  const hint = "write a number of cores such as 0.5 or 2, or thousandths such as 500m; from 0 to 1,000,000 cores";
  return z
    .union([z.number().min(0).max(1_000_000), z.string().regex(cpuPattern)], { error: hint })
    .transform((value) => Math.round(typeof value === "number" ? value * 1_000 : Number(value.slice(0, -1))));
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
