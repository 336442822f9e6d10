/**
 * What a terminal obeys instead of showing it: control characters (C0 but for tab and line feed, DEL, C1), line and paragraph separators, and the
 * marks that turn the direction of writing around. Half a pair of surrogates becomes U+FFFD on its way out, so that two texts look alike.
 */
const obeyed =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text of others as a person may see it: what a terminal would obey stands there as `\x1b` or `\u202e`. Line feeds stay. */
export function visible(text: string): string {
  return text.replace(obeyed, escaped);
}

/** The same in one line: a line feed is `\n`, so that nobody's text makes a line of its own. */
export function visibleLine(text: string): string {
  return visible(text).replaceAll("\n", "\\n");
}

function escaped(character: string): string {
  if (character === "\r") return "\\r";
  const code = character.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
}
