import { describe } from "@berth/chassis/errors";
import type { Result } from "../domain/outcome.js";

/** Most bytes of JSON that a run may leave as its result. */
export const resultBytesMax = 256 * 1024;

const none: Result = { json: Buffer.alloc(0) };

/** The result that a handler returned. */
export function returnedResult(value: unknown): Result {
  if (value === undefined) return none;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    const message = `the result can't be kept as JSON: ${faultOf(value) ?? describe(error, { named: true })}`;
    return { message, permanent: true };
  }
  const json = Buffer.from(text ?? "");
  if (json.length <= resultBytesMax) return { json };
  const message = `the result has ${json.length} bytes of JSON; at most ${resultBytesMax} are kept: store it elsewhere and return where`;
  return { message, permanent: true };
}

/** In JSON: a string, or white space outside of strings. */
const stringOrSpace = /"[^"\\]*(?:\\.[^"\\]*)*"|\s+/g;

/**
 * The result that a command wrote: `read` is what was read of its file, at most a byte more than is kept, and `size` what the file has.
 * Only the white space between its parts is taken out: numbers keep their digits. A file with nothing but white space is no result.
 */
export function writtenResult(read: Buffer, size: number): Result {
  if (read.length > resultBytesMax) {
    const message = `the result in $BERTH_RESULT has ${Math.max(size, read.length)} bytes; at most ${resultBytesMax} are kept: store it elsewhere and write where`;
    return { message, permanent: true };
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(read).trim();
    if (text !== "") JSON.parse(text);
    return { json: Buffer.from(text.replace(stringOrSpace, (found) => (found.startsWith('"') ? found : ""))) };
  } catch (error) {
    return { message: `the result in $BERTH_RESULT isn't JSON in UTF-8: ${describe(error)}`, permanent: true };
  }
}

/** Where a value can't be written as JSON, and why; undefined if that isn't found. */
function faultOf(value: unknown): string | undefined {
  try {
    return faultIn(value, "result", "", new Map());
  } catch {
    // Nested deeper than the stack, or a Proxy that answers nothing.
    return undefined;
  }
}

/** Walks as JSON.stringify does; `above` holds every object around this one, with its place. */
function faultIn(given: unknown, place: string, key: string, above: Map<object, string>): string | undefined {
  let value = given;
  if ((typeof value === "object" && value !== null) || typeof value === "bigint") {
    try {
      const { toJSON } = value as { toJSON?: unknown };
      if (typeof toJSON === "function") value = toJSON.call(value, key);
    } catch (error) {
      return `toJSON of ${place} threw ${describe(error, { named: true })}`;
    }
  }
  if (typeof value === "bigint") return `${place} is a BigInt: return it as a text or a number`;
  if (typeof value !== "object" || value === null) return undefined;
  const earlier = above.get(value);
  if (earlier !== undefined) return `${place} leads back to ${earlier}`;
  above.set(value, place);
  const isList = Array.isArray(value);
  for (const name of Object.keys(value)) {
    const inner = isList ? `${place}[${name}]` : `${place}${memberOf(name)}`;
    let member: unknown;
    try {
      member = (value as Record<string, unknown>)[name];
    } catch (error) {
      return `reading ${inner} threw ${describe(error, { named: true })}`;
    }
    const fault = faultIn(member, inner, name, above);
    if (fault !== undefined) return fault;
  }
  above.delete(value);
  return undefined;
}

function memberOf(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, 64))}]`;
}
