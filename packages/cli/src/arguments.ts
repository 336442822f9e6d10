// Values of flags, checked: every problem names the flag, the value and the bound.
import { bytes, cpu } from "@berth/chassis/config";
import { isName, limitPattern } from "@berth/chassis/grpc";
import { duration } from "@berth/client/quantities";
import type { z } from "zod";
import { UsageError } from "./errors.js";

/** A whole number within bounds. */
export function wholeNumber(flag: string, text: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new UsageError(`${flag}: "${text}" is not a whole number from ${min} to ${max}`);
}

/** A duration, in milliseconds. */
export function durationFlag(flag: string, text: string): number {
  return quantity(flag, text, duration());
}

/** A size, in bytes. */
export function bytesFlag(flag: string, text: string): number {
  return quantity(flag, text, bytes());
}

/** Thousandths of a core. */
export function cpuFlag(flag: string, text: string): number {
  return quantity(flag, text, cpu());
}

function quantity(flag: string, text: string, schema: z.ZodType<number>): number {
  const parsed = schema.safeParse(text);
  if (parsed.success) return parsed.data;
  const message = parsed.error.issues[0]?.message ?? "isn't valid";
  // Where a bound is passed the message names the value itself.
  throw new UsageError(message.startsWith('"') ? `${flag}: ${message}` : `${flag}: "${text}" ${message}`);
}

/** `NAME` or `NAME=WEIGHT`, any number of times. */
export function weightFlags(flag: string, texts: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    texts.map((text) => {
      const [name = "", weight] = text.split("=", 2);
      if (!isName(name, limitPattern))
        throw new UsageError(
          `${flag}: "${name}" isn't a limit's name: write 1 to 127 lower-case letters, digits, '.', '_', ':' or '-', without '..'`,
        );
      return [name, weight === undefined ? 1 : wholeNumber(`${flag} ${name}`, weight, 1)];
    }),
  );
}

/** `NAME=VALUE`, any number of times. */
export function pairFlags(flag: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new UsageError(`${flag}: "${text}" isn't of the form NAME=VALUE`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
