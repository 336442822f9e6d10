import { z } from "zod";
import { show } from "./problem.js";

/** The least and the most that a quantity may be, in its own unit. */
export interface QuantityBounds {
  /** Least that is taken, included. */
  readonly min?: number;
  /** Most that is taken, included. */
  readonly max?: number;
}

type Quantity = z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodNumber]>, z.ZodTransform<number, string | number>>;

const dayMs = 86_400_000;
const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: dayMs };

/** A span of time, in whole milliseconds: `"500ms"`, `"10s"`, `"1h30m"`, or a number of milliseconds. Default bounds: 0 to 3650 days. */
export function duration(bounds: QuantityBounds = {}): Quantity {
  return quantity({
    hint: "isn't a duration: write 500ms, 10s, 5m, 2h, 7d or a number of milliseconds",
    read: (text) => {
      if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
      const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g);
      let sum = 0;
      for (const [, count, unit] of parts) sum += Number(count) * (durationUnits[unit ?? ""] ?? Number.NaN);
      return sum;
    },
    write: (ms) => `${ms} ms`,
    min: bounds.min ?? 0,
    max: bounds.max ?? 3_650 * dayMs,
  });
}

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** An amount of memory or disk, in whole bytes: `"512MiB"`, `"1GB"`, `"512Mi"`, or a number of bytes. Default bounds: 0 to 2^53 - 1. */
export function bytes(bounds: QuantityBounds = {}): Quantity {
  return quantity({
    hint: "isn't a number of bytes: write 64KiB, 512MiB, 2GiB, 1GB or a number of bytes",
    read: (text) => {
      const match = /^(\d+(?:\.\d+)?)\s?((?:[kmgt]i?)?)b?$/i.exec(text);
      return match ? Number(match[1]) * (byteUnits[(match[2] ?? "").toLowerCase()] ?? Number.NaN) : undefined;
    },
    write: (count) => `${count} bytes`,
    min: bounds.min ?? 0,
    max: bounds.max ?? Number.MAX_SAFE_INTEGER,
  });
}

/** Processor time, in whole thousandths of a core: `"500m"`, `"0.5"`, or a number of cores. Default bounds: 0 to 1,000,000 cores. */
export function cpu(bounds: QuantityBounds = {}): Quantity {
  return quantity({
    hint: "isn't a number of cores: write 2, 0.5 or 500m (thousandths of a core)",
    read: (text) => {
      const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
      return match ? Number(match[1]) * (match[2] === "m" ? 1 : 1_000) : undefined;
    },
    scale: 1_000,
    write: (millis) => `${millis / 1_000} cores`,
    min: bounds.min ?? 0,
    max: bounds.max ?? 1_000_000_000,
  });
}

interface QuantityRule {
  readonly hint: string;
  /** The value of a text in the unit of the result; undefined if it isn't one. */
  readonly read: (text: string) => number | undefined;
  /** What a plain number counts, in the unit of the result. Default: 1. */
  readonly scale?: number;
  readonly write: (value: number) => string;
  readonly min: number;
  readonly max: number;
}

function quantity({ hint, read, scale = 1, write, min, max }: QuantityRule): Quantity {
  return z.union([z.string(), z.number()] as const, { error: hint }).transform((given, context) => {
    const value = typeof given === "number" ? given * scale : read(given.trim());
    const refuse = (message: string): never => {
      context.issues.push({ code: "custom", message, input: given });
      return z.NEVER;
    };
    if (value === undefined || !Number.isFinite(value)) return refuse(hint);
    const whole = Math.round(value);
    if (whole < min) return refuse(`${show(given)} is below the minimum, ${write(min)}`);
    if (whole > max) return refuse(`${show(given)} is above the maximum, ${write(max)}`);
    return whole;
  });
}
