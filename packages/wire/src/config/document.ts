import { type Document, isAlias, isMap, isNode, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { describe } from "../errors/index.js";
import { ConfigError, type Problem } from "./problem.js";
import { keyText, type Reading, readNodes } from "./scalars.js";

/** Aliases may not multiply what a text holds by more than this. */
const aliasCountMax = 100;

/** A text that was read: its value, and where in the text each part of the value stands. */
export interface YamlText {
  readonly value: unknown;
  /** Scalars and keys that can't be kept as they are written. */
  readonly problems: readonly Problem[];
  /** Line and column (from 1) of the value at a path, or of its key; of the nearest that there is, if it is missing. */
  place(path: readonly PropertyKey[], aboutKey: boolean): { line: number; column: number };
}

/**
 * Reads YAML 1.2, scalars as the schema wants them. An empty text is an empty mapping. Throws {@link ConfigError} with line and column; what
 * is wrong with single scalars stands in `problems`, so that it can be told together with the schema's findings.
 */
export function readYaml(text: string, source: string, schema?: z.ZodType): YamlText {
  const lines = new LineCounter();
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const refused = (problems: Problem[]): never => {
    throw new ConfigError(problems);
  };
  let document: Document.Parsed;
  let reading: Reading;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
    const wrong = [...document.errors, ...document.warnings];
    // One missing quote or bracket is one problem: what the parser says of the same place afterwards only follows from it.
    const places = wrong.filter((each, index) => wrong.findIndex(({ pos }) => pos[0] === each.pos[0]) === index);
    if (wrong.length > 0)
      refused(places.map((each) => ({ source, ...at(each.pos[0]), path: "", message: sentence(each) })));
    // Finds what is too much before anything is copied.
    document.toJS({ maxAliasCount: aliasCountMax });
    reading = readNodes(document, schema);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    return refused([{ source, line: 1, column: 1, path: "", message: overload(error) }]);
  }
  return {
    value: reading.value ?? {},
    problems: reading.problems.map(({ offset, message }) => ({ source, ...at(offset), path: "", message })),
    place: (path, aboutKey) => at(offsetOf(document, path, aboutKey)),
  };
}

function sentence(error: { code: string; message: string }): string {
  if (error.code === "DUPLICATE_KEY") return "this key appears twice; keep one of them";
  if (error.code === "MULTIPLE_DOCS") return "there is more than one document; keep one (remove what follows ---)";
  if (isOverflow(error.message)) return tooDeep;
  return `broken YAML: ${error.message}`;
}

const tooDeep = "is nested too deeply: lists and mappings may be nested some hundred levels deep; flatten it";

/** The parser calls itself for each level, and reports the end of the stack as an error of the text. */
function isOverflow(message: string): boolean {
  return message.includes("call stack");
}

function overload(error: unknown): string {
  if (error instanceof ReferenceError)
    return `aliases (*name) repeat more than ${aliasCountMax} times what they stand for, or stand for nothing; write it out in full`;
  if (error instanceof RangeError) return tooDeep;
  return `broken YAML: ${describe(error)}`;
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], aboutKey: boolean): number {
  let node: unknown = document.contents;
  let offset = start(node) ?? 0;
  path.forEach((part, index) => {
    const resolved = isAlias(node) ? node.resolve(document) : node;
    let next: unknown;
    if (isMap(resolved)) {
      const pair = resolved.items.find(({ key }) => keyText(key) === String(part));
      const keyWanted = aboutKey && index === path.length - 1;
      next = pair && (keyWanted || start(pair.value) === undefined ? pair.key : pair.value);
    } else if (isSeq(resolved) && typeof part === "number") {
      next = resolved.items[part];
    }
    offset = start(next) ?? offset;
    node = next;
  });
  return offset;
}

function start(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
