// A stand-in for a terminal, for tests.
import type { Io } from "./io.js";

/** An Io that keeps what is written. */
export function recordingIo(
  given: Partial<Pick<Io, "terminal" | "colour" | "environment" | "call" | "places">> = {},
): Io & { out(): string; errors(): string } {
  const out: string[] = [];
  const errors: string[] = [];
  return {
    write: (text) => void out.push(text),
    writeError: (text) => void errors.push(text),
    terminal: given.terminal ?? false,
    colour: given.colour ?? false,
    columns: () => 100,
    environment: given.environment ?? {},
    call: given.call ?? "berth",
    places: given.places ?? {},
    out: () => out.join(""),
    errors: () => errors.join(""),
  };
}
