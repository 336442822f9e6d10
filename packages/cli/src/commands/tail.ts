// The end of what a failed task wrote: mostly it says why.
import { stripVTControlCharacters } from "node:util";
import type { BerthClient } from "@berth/client";
import { cut } from "../io.js";

/** Lines that are shown. */
const linesMax = 5;
/** As much of the end is looked at. */
const bytesMax = 16 * 1_024;
/** A registry that is slow mustn't keep the user waiting for the end. */
const longestMs = 5_000;

/** The last lines of the last attempt's output, none if nothing is kept or it can't be read. */
export async function tailOf(client: BerthClient, task: string, width: number): Promise<string[]> {
  let end = Buffer.alloc(0);
  try {
    for await (const { data } of client.logs(task, { signal: AbortSignal.timeout(longestMs) }))
      end = Buffer.concat([end, data]).subarray(-bytesMax);
  } catch {
    // `berth logs`, which the summary names, tells what is wrong.
    return [];
  }
  return lastLines(end.toString("utf8"), width);
}

/** The last lines of a text as they may stand in another: of what a line was overwritten with the last, no escape sequences. */
export function lastLines(text: string, width: number): string[] {
  const lines = stripVTControlCharacters(text)
    .split("\n")
    .map((line) => line.trimEnd().split("\r").at(-1) ?? "")
    .filter((line) => line !== "");
  return lines.slice(-linesMax).map((line) => cut(line.replaceAll("\t", "  "), width));
}
