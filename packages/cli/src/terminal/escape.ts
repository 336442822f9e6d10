// What of a text a terminal obeys and what it shows. Everything people read passes `shown`: of it only our own colours are obeyed.
import { randomInt } from "node:crypto";
import { styleText } from "node:util";
import { visible, visibleLine } from "@berth/chassis/visible";

/** A style as Node names them. */
export type Style = Parameters<typeof styleText>[0];

/** Stands in our own sequences until they are written. Others can't know it, so theirs are shown. */
const ours = String(randomInt(1e9, 1e12));
// biome-ignore-start lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const sequence = /\u001b\[([0-9;]*)m/g;
const own = new RegExp(`\u001b\\[${ours};([0-9;]*)m`);
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: as above

/** A text in a style that survives `shown`. */
export function styled(style: Style, text: string): string {
  return styleText(style, "\0", { validateStream: false })
    .replace(sequence, `\u001b[${ours};$1m`)
    .replace("\0", () => text);
}

/** A text with everything but our styles made visible, line feeds too: what a cell of a table or a line of a screen is measured by. */
export function settled(text: string): string {
  return text
    .split(own)
    .map((part, index) => (index % 2 === 0 ? visibleLine(part) : `\u001b[${ours};${part}m`))
    .join("");
}

/** A text as it goes to a terminal: our colours, and everything else visible. Line feeds stay. */
export function shown(text: string): string {
  // With one group in the pattern every second part is what stood in a sequence of ours.
  return text
    .split(own)
    .map((part, index) => (index % 2 === 0 ? visible(part) : `\u001b[${part}m`))
    .join("");
}
