// Everything a command does to the outside, in one place, so that a test can stand in for a terminal.
import { styleText } from "node:util";
import { calledAs } from "./hints.js";
import type { Places } from "./places.js";

type Style = Parameters<typeof styleText>[0];

/** Where a command writes and what it knows of its surroundings. */
export interface Io {
  /** Writes to standard output as it is. */
  write(text: string): void;
  /** Writes to standard error as it is. */
  writeError(text: string): void;
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

/** The process's own. No colour in pipes, or where NO_COLOR is set. */
export function processIo(): Io {
  const terminal = process.stdout.isTTY === true && process.env.TERM !== "dumb";
  return {
    write: (text) => void process.stdout.write(text),
    writeError: (text) => void process.stderr.write(text),
    terminal,
    colour: terminal && !process.env.NO_COLOR,
    columns: () => process.stdout.columns ?? 80,
    environment: process.env,
    call: calledAs(),
    places: {},
  };
}

/** Writes one line. */
export function say(io: Io, line = ""): void {
  io.write(`${line}\n`);
}

/** Text in a style, where colours are wanted. */
export function paint(io: Io, style: Style, text: string): string {
  return io.colour ? styleText(style, text, { validateStream: false }) : text;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const escapes = /\u001b\[[0-9;]*m/g;

/** Columns that a text takes. */
export function widthOf(text: string): number {
  return [...text.replace(escapes, "")].length;
}

/** Cuts a text without escape sequences to a width, with an ellipsis. */
export function cut(text: string, width: number): string {
  return [...text].length <= width ? text : `${[...text].slice(0, Math.max(0, width - 1)).join("")}…`;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Prints a table. Empty cells show as `-`. */
export function table(io: Io, columns: readonly Column[], rows: readonly (readonly string[])[]): void {
  const cells = rows.map((row) => columns.map((_, index) => row[index] || "-"));
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

/** Prints a value as JSON: whole numbers of the wire as numbers where they fit, bytes as text, times as ISO 8601. */
export function printJson(io: Io, value: unknown, options: { oneLine?: boolean } = {}): void {
  say(io, JSON.stringify(value, plain, options.oneLine === true ? undefined : 2));
}

function plain(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  // A Buffer has been through its own toJSON by the time it comes here.
  if (isBufferJson(value)) return Buffer.from(value.data).toString("utf8");
  if (isDuration(value)) return `${Number(value.seconds) + value.nanos / 1e9}s`;
  return value;
}

function isBufferJson(value: unknown): value is { type: "Buffer"; data: number[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as { type?: unknown }).type === "Buffer" &&
    Array.isArray((value as { data?: unknown }).data)
  );
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
