// What no request may hold in a text, checked once for every message that comes in: it would be cut or lost later, where nobody could tell whose
// it was. NUL ends a text for operating systems, and a column of PostgreSQL can't hold it.

import type { ReasonError } from "@berth/wire/grpc";
import { type Violation, violated } from "./field-check.js";

interface Encoder {
  encode(message: unknown): { finish(): Uint8Array };
}

/** Most wrong fields that are looked for; one would do, several save the caller a round. */
const violationsMax = 100;

/**
 * The field in which workloads and handlers say how it went. What they wrote is kept as it is, NUL included; everything else that is text in a
 * request is a name, a command or a remark of somebody who can put it right.
 */
const ofWorkloads = "message";

/** What is wrong with the texts of a message, by field; undefined if nothing is. `input` are the bytes that it was decoded from. */
export function unkeepable(message: unknown, input: Uint8Array, type: Encoder): ReasonError | undefined {
  const violations: Violation[] = [];
  // Most messages have no byte 0 at all, so they hold no NUL either; walking through all fields of every item would cost more than decoding them.
  if (input.indexOf(0) >= 0) look(message, "", violations);
  if (losesKey(message, input, type))
    violations.push({
      field: "request",
      description: `a map has the key "${lostKey}", which can't be kept: choose another`,
    });
  return violations.length === 0 ? undefined : violated(violations);
}

function look(value: unknown, path: string, violations: Violation[]): void {
  if (violations.length >= violationsMax) return;
  if (typeof value === "string") {
    const at = value.indexOf("\0");
    if (at >= 0)
      violations.push({
        field: path,
        description: `holds a NUL character (at position ${at}), which isn't allowed in any text here: remove it`,
      });
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) look(value[index], `${path}[${index}]`, violations);
  } else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const key of Object.keys(value)) {
      if (key === "$case") continue;
      // A key of a map; fields are named by their proto.
      if (key.includes("\0")) look(key, `${path}[${JSON.stringify(key)}]`, violations);
      else if (key !== ofWorkloads) look((value as Record<string, unknown>)[key], below(path, key, value), violations);
    }
  }
}

function below(path: string, key: string, within: object): string {
  if ("$case" in within && key === "value") return path.replace(/[^.]*$/, String(within.$case));
  if (!/^[a-z][a-zA-Z0-9]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return path === "" ? name : `${path}.${name}`;
}

const lostKey = "__proto__";
/** An entry of a map as it is encoded: field 1, nine bytes of text. */
const lostEntry = Buffer.from(`\n\t${lostKey}`);

/** Decoding puts an entry of this name where no object keeps it; encoding again shows whether one is gone. */
function losesKey(message: unknown, input: Uint8Array, type: Encoder): boolean {
  const given = count(input);
  return given > 0 && count(type.encode(message).finish()) < given;
}

function count(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let found = 0;
  for (let at = buffer.indexOf(lostEntry); at >= 0; at = buffer.indexOf(lostEntry, at + 1)) found++;
  return found;
}
