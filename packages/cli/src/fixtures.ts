// A stand-in for a terminal, for tests.
import { type Io, writers } from "./io.js";

/** An Io that keeps what is written. */
export function recordingIo(
  given: Partial<Pick<Io, "terminal" | "colour" | "environment" | "call" | "places">> & { columns?: number } = {},
): Io & { out(): string; errors(): string; bytes(): Buffer } {
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  const into = (kept: Buffer[]) => ({
    write: (data: string | Uint8Array) => void kept.push(Buffer.from(data as string)),
    ended: new AbortController().signal,
  });
  return {
    ...writers(into(out), into(errors)),
    terminal: given.terminal ?? false,
    colour: given.colour ?? false,
    columns: () => given.columns ?? 100,
    environment: given.environment ?? {},
    call: given.call ?? "berth",
    places: given.places ?? {},
    out: () => Buffer.concat(out).toString("utf8"),
    errors: () => Buffer.concat(errors).toString("utf8"),
    bytes: () => Buffer.concat(out),
  };
}
