import { visibleLine } from "../visible/index.js";

/** One thing that is wrong with a configuration or another file that people write. */
export interface Problem {
  /** The file, `environment BERTH_…` or `flag …`. */
  readonly source: string;
  /** From 1; absent where the source isn't a file. */
  readonly line?: number;
  /** From 1; absent where the source isn't a file. */
  readonly column?: number;
  /** Where in the data: `pools.build.maxConcurrency`, `tasks[3].needs[0]`. Empty for the whole. */
  readonly path: string;
  /** What, the value and the bound. */
  readonly message: string;
}

/** Problems that the message of an error lists; the rest are counted. */
const listedMax = 50;

/** Everything that is wrong, together. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** All that is wrong, in the order of the file. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.slice(0, listedMax).map(problemLine);
    if (problems.length > listedMax) lines.push(`and ${problems.length - listedMax} more problems`);
    super(lines.join("\n"));
    this.problems = problems;
  }
}

function problemLine({ source, line, column, path, message }: Problem): string {
  const place = line === undefined ? source : `${source}:${line}:${column ?? 1}`;
  // Names and values come from whoever wrote the file: none makes a line of its own.
  return visibleLine(path === "" ? `${place}: ${message}` : `${place} ${path}: ${message}`);
}

/** `["tasks", 3, "needs"]` as people write it: `tasks[3].needs`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path)
    text += typeof part === "number" ? `[${part}]` : `${text === "" ? "" : "."}${shorten(String(part))}`;
  return text;
}

/** Characters of a value that a message repeats. */
const shownMax = 60;

/** A value as a message shows it: never long, never what a list or a mapping holds. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(shorten(value));
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "a mapping";
  return shorten(String(value));
}

function shorten(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}
