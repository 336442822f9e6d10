// What plain scalars of YAML become. YAML reads `1.10` as the number 1.1 and `0x1F` as 31; whoever writes them into an environment variable
// means the letters. So: where a text is wanted, what is written is what is taken; where a number is wanted, one that can't be kept is refused.
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Scalar } from "yaml";
import type { z } from "zod";
import { alternatives, below, definition } from "./shape.js";

/** What was read from the nodes of a text. */
export interface Reading {
  readonly value: unknown;
  /** Scalars and keys that can't be kept as they are written; offsets into the text. */
  readonly problems: readonly { readonly offset: number; readonly message: string }[];
}

/** Schemas of more than texts that take a scalar as it is written all the same. */
const written = new WeakSet<z.ZodType>();

/** Marks a schema: from a file it is given `1.10`, `0755` and `true` as these texts. From programs it takes what it takes. */
export function asWritten<S extends z.ZodType>(schema: S): S {
  written.add(schema);
  return schema;
}

/** The one key that no object of JavaScript can be given in the ordinary way: it would vanish. */
export const lostKey = "__proto__";
/** What is said of it. */
export const lostKeyMessage = `the key "${lostKey}" would be lost (it means something else in JavaScript); choose another name`;

/** Reads a document's nodes as a schema wants them; without one, as YAML says. */
export function readNodes(document: Document.Parsed, schema: z.ZodType | undefined): Reading {
  const problems: { offset: number; message: string }[] = [];
  const problem = (node: unknown, message: string): void => {
    const offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    if (!problems.some((each) => each.offset === offset)) problems.push({ offset, message });
  };
  const read = (node: unknown, wanted: readonly z.ZodType[]): unknown => {
    if (isAlias(node)) return read(node.resolve(document), wanted);
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }) => {
        const name = keyText(key);
        if (name === lostKey) problem(key, lostKeyMessage);
        return [name, read(value, below(wanted, name))] as const;
      });
      return Object.fromEntries(entries.filter(([name]) => name !== lostKey));
    }
    if (isSeq(node)) return node.items.map((item, index) => read(item, below(wanted, index)));
    if (!isScalar(node)) return node === null ? null : isNode(node) ? node.toJS(document) : node;
    if (!isPlain(node)) return node.value;
    if (wantsText(wanted)) return node.source;
    if (typeof node.value === "number") {
      const message = changed(node.source, node.value);
      if (message !== undefined) problem(node, message);
    }
    return node.value;
  };
  return { value: read(document.contents, schema === undefined ? [] : alternatives(schema)), problems };
}

/** A key as it is written: keys are texts whatever they look like. */
export function keyText(key: unknown): string {
  if (!isScalar(key)) return String(key);
  return isPlain(key) ? key.source : String(key.value ?? "");
}

/** A number, true or false without quotes. */
function isPlain(node: Scalar): node is Scalar<number | boolean> & { source: string } {
  return (
    node.type === "PLAIN" &&
    (typeof node.value === "number" || typeof node.value === "boolean") &&
    typeof node.source === "string"
  );
}

/** Where a text or a list is wanted, a bare number is more likely a slip than a text: the schema refuses it. */
function wantsText(wanted: readonly z.ZodType[]): boolean {
  if (wanted.some((schema) => written.has(schema))) return true;
  return wanted.length > 0 && wanted.every((schema) => definition(schema).type === "string");
}

/** What is wrong with taking `source` as this number; undefined if nothing is. */
function changed(source: string, value: number): string | undefined {
  if (/^[-+]?0[0-9]/.test(source))
    return `${source} begins with 0: some read that as octal, some as ${value}; quote it, or write the number without the 0`;
  if (!Number.isFinite(value) || sameNumber(source, value)) return undefined;
  return `${source} can't be kept exactly (it would become ${value}): quote it, or write a number of at most 15 digits`;
}

function sameNumber(source: string, value: number): boolean {
  if (/^[-+]?0[xo]/i.test(source)) return BigInt(source.replace(/^[-+]/, "")) === BigInt(Math.abs(value));
  return digits(source) === digits(String(value));
}

/** A decimal number in one spelling: its digits without zeros around them, and where the point stands. */
function digits(text: string): string {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^([-+]?)([0-9]*)\.?([0-9]*)(?:e([-+]?[0-9]+))?$/i.exec(text) ?? [];
  const all = `${whole}${fraction}`.replace(/^0+/, "");
  const kept = all.replace(/0+$/, "");
  if (kept === "") return "0";
  return `${sign === "-" ? "-" : ""}${kept}e${Number(exponent) - fraction.length + all.length - kept.length}`;
}

/** Path of the first key of a program's value that would be lost; undefined if there is none. */
export function lostKeyAt(value: unknown): PropertyKey[] | undefined {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined;
  if (Object.hasOwn(value, lostKey)) return [lostKey];
  for (const [key, each] of Object.entries(value)) {
    const rest = lostKeyAt(each);
    if (rest !== undefined) return [Array.isArray(value) ? Number(key) : key, ...rest];
  }
  return undefined;
}
