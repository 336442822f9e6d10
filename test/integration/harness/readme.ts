import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./berth.js";

/** The code of README.md in `language` that follows the text `after`: the first such block. */
export function readmeCode(after: string, language: string): string {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const from = readme.indexOf(after);
  if (from < 0) throw new Error(`README.md doesn't say "${after}" any more`);
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(readme.slice(from));
  if (block?.[1] === undefined) throw new Error(`README.md shows no ${language} code after "${after}"`);
  return block[1];
}
