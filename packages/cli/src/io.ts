// Everything a command does to the outside, in one place, so that a test can stand in for a terminal.
import { isUtf8 } from "node:buffer";
import { visibleLine } from "@berth/chassis/visible";
import { calledAs } from "./hints.js";
import type { Places } from "./places.js";
import { type Style, settled, shown, styled } from "./terminal/escape.js";
import type { Output } from "./terminal/write.js";

/** Where a command writes and what it knows of its surroundings. */
export interface Io {
  /** Writes text for people to standard output: but for our own colours nothing in it tells the terminal anything. */
  write(text: string): void;
  /** Writes text for people to standard error, likewise. */
  writeError(text: string): void;
  /** Writes to standard output as it is: output of runs, JSON, and what moves the cursor. */
  writeRaw(data: string | Uint8Array): void;
  /** Writes to standard error as it is: output of runs. */
  writeRawError(data: string | Uint8Array): void;
  /** Aborts when nothing reads standard output any more, or nothing can be written to it. */
  readonly outputEnded: AbortSignal;
  /** True if standard output is a terminal. */
  readonly terminal: boolean;
  /** True if colours are wanted. */
  readonly colour: boolean;
  /** Columns of the terminal. */
  columns(): number;
  /** Environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** How people call the CLI again. */
  readonly call: string;
  /** Where this call says that Berth is. */
  readonly places: Places;
}

/** The part of an Io that writes, over two outputs. */
export function writers(
  out: Pick<Output, "write" | "ended">,
  error: Pick<Output, "write">,
): Pick<Io, "write" | "writeError" | "writeRaw" | "writeRawError" | "outputEnded"> {
  return {
    write: (text) => out.write(shown(text)),
    writeError: (text) => error.write(shown(text)),
    writeRaw: (data) => out.write(data),
    writeRawError: (data) => error.write(data),
    outputEnded: out.ended,
  };
}

/** The process's own. No colour in pipes, or where NO_COLOR is set. */
export function processIo(out: Output, error: Output): Io {
  const terminal = process.stdout.isTTY === true && process.env.TERM !== "dumb";
  return {
    ...writers(out, error),
    terminal,
    colour: terminal && !process.env.NO_COLOR,
    columns: () => process.stdout.columns ?? 80,
    environment: process.env,
    call: calledAs(),
    places: {},
  };
}

/** Writes one line: line feeds of others in it are shown, not obeyed. */
export function say(io: Io, line = ""): void {
  io.write(`${settled(line)}\n`);
}

/** Writes one line to standard error, likewise. */
export function sayError(io: Io, line: string): void {
  io.writeError(`${settled(line)}\n`);
}

/** Text in a style, where colours are wanted. */
export function paint(io: Io, style: Style, text: string): string {
  return io.colour ? styled(style, text) : text;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const escapes = /\u001b\[[0-9;]*m/g;

/** Columns that a text takes. */
export function widthOf(text: string): number {
  return [...text.replace(escapes, "")].length;
}

/** Cuts a text without styles to a width, with an ellipsis; what a terminal would obey is made visible first. */
export function cut(text: string, width: number): string {
  const characters = [...visibleLine(text)];
  return characters.length <= width ? characters.join("") : `${characters.slice(0, Math.max(0, width - 1)).join("")}…`;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Prints a table. Empty cells show as `-`. */
export function table(io: Io, columns: readonly Column[], rows: readonly (readonly string[])[]): void {
  const cells = rows.map((row) => columns.map((_, index) => settled(row[index] || "-")));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((row) => widthOf(row[index] ?? ""))),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => {
        const gap = " ".repeat(Math.max(0, (widths[index] ?? 0) - widthOf(cell)));
        return columns[index]?.right === true ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd();
  say(io, paint(io, "bold", line(columns.map((column) => column.title))));
  for (const row of cells) say(io, line(row));
}

/**
 * Prints a value as JSON: whole numbers of the wire as numbers where they fit, times as ISO 8601, durations in seconds. Bytes are text if they
 * are UTF-8; if not, `data` becomes `dataBase64`, so that nothing of them is lost.
 */
export function printJson(io: Io, value: unknown, options: { oneLine?: boolean } = {}): void {
  io.writeRaw(`${JSON.stringify(value, plain, options.oneLine === true ? undefined : 2)}\n`);
}

function plain(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (isDuration(value)) return `${Number(value.seconds) + value.nanos / 1e9}s`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  // Here and not where the bytes themselves come: by then a Buffer has been through its own toJSON, and its name is written.
  if (!Object.values(value).some((each) => each instanceof Uint8Array)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => (each instanceof Uint8Array ? bytesField(name, each) : [name, each])),
  );
}

function bytesField(name: string, bytes: Uint8Array): [string, string] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? [name, buffer.toString("utf8")] : [`${name}Base64`, buffer.toString("base64")];
}

function isDuration(value: unknown): value is { seconds: bigint; nanos: number } {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length === 2 &&
    typeof (value as { seconds?: unknown }).seconds === "bigint" &&
    typeof (value as { nanos?: unknown }).nanos === "number"
  );
}

/** Lines as one value on a terminal: what a state looks like. */
export function bar(done: number, total: number, width: number): string {
  const filled = total === 0 ? 0 : Math.min(width, Math.floor((done / total) * width));
  return "█".repeat(filled) + "░".repeat(width - filled);
}
