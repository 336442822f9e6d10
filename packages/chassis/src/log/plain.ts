import type { DestinationStream } from "pino";
import { visible } from "../visible/index.js";

/** Fields that have a place of their own in a plain line, or none. */
const placed = new Set(["level", "time", "service", "msg", "error", "err", "trace_flags", "span_id"]);

/**
 * Turns JSON lines into lines for a person: `12:34:56.789 info  registry: started port=50051`. Other lines
 * pass. In all of them what a terminal would obey is made visible.
 */
export function plainLines(lines: DestinationStream): DestinationStream {
  return { write: (line) => lines.write(plain(line)) };
}

function plain(line: string): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return visible(line);
  }
  const time = String(fields["time"] ?? "").slice(11, 23);
  const level = String(fields["level"] ?? "").padEnd(5);
  const rest = Object.entries(fields).filter(([name]) => !placed.has(name));
  const pairs = rest.map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? quoted(value) : JSON.stringify(value)}`,
  );
  const head = `${time} ${level} ${String(fields["service"] ?? "")}: ${oneLine(String(fields["msg"] ?? ""))}${pairs.join("")}`;
  return visible(`${head}${failure(fields["error"] ?? fields["err"])}\n`);
}

function failure(error: unknown): string {
  if (error === undefined || error === null) return "";
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  const text = String(stack ?? message ?? JSON.stringify(error));
  return `\n${text.replace(/^/gm, "    ")}`;
}

function quoted(text: string): string {
  return /^[\w./:@{}[\],+-]+$/.test(text) ? text : JSON.stringify(text);
}

/** A message can't forge a second line. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}
