import { readFileSync } from "node:fs";
import { ConfigError } from "./problem.js";

const why: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; write it or name another",
  EISDIR: "this is a folder, not a file; name a file in it",
  EACCES: "you may not read this file; change its permissions or name another",
};

/**
 * Reads a text that people write, from a path or (0) from standard input; `source` is its name in errors.
 *
 * @throws ConfigError if it can't be read, or isn't UTF-8: with line and column of the first wrong byte. Decoding it anyway would put
 * U+FFFD into a command and run that.
 */
export function readText(path: string | 0, source: string = String(path)): string {
  return decodeText(read(path, source), source);
}

function read(path: string | 0, source: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new ConfigError([{ source, path: "", message: why[code] ?? `can't be read: ${message}` }]);
  }
}

/** The text of UTF-8 bytes, without a byte order mark. @throws ConfigError with line and column of the first byte that isn't UTF-8, or that no text has. */
export function decodeText(bytes: Buffer, source: string): string {
  if (bytes.includes(0)) throw wrongByte(bytes, bytes.indexOf(0), source, "isn't text: is this the right file?");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw wrongByte(bytes, firstWrong(bytes), source, "isn't UTF-8: save the file as UTF-8");
  }
}

function wrongByte(bytes: Buffer, at: number, source: string, what: string): ConfigError {
  const before = bytes.subarray(0, at).toString("utf8").split("\n");
  const message = `byte 0x${bytes[at]?.toString(16).padStart(2, "0")} ${what}`;
  return new ConfigError([
    { source, line: before.length, column: (before.at(-1) ?? "").length + 1, path: "", message },
  ]);
}

/** Where decoding and encoding again first changes something. */
function firstWrong(bytes: Buffer): number {
  const again = Buffer.from(bytes.toString("utf8"), "utf8");
  let at = 0;
  while (at < bytes.length && bytes[at] === again[at]) at++;
  return at;
}
