import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The folder of the repository. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Every file that git knows or would take, by its path from the root. What is ignored isn't part of the house. */
export const files: readonly string[] = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  },
)
  .split("\0")
  .filter((path) => path !== "" && existsSync(join(root, path)) && statSync(join(root, path)).isFile())
  .sort();

/** Our own TypeScript and JavaScript: not what was generated. */
export const sources: readonly string[] = files.filter(
  (path) => /\.(ts|mts|mjs|js)$/.test(path) && !path.includes("/gen/"),
);

/** The text of a file. */
export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Whether a file is a test, or stands beside tests to serve them. */
export function isTest(path: string): boolean {
  return (
    /\.(test|bench)\.ts$/.test(path) ||
    path.startsWith("test/") ||
    path.includes("/testing/") ||
    path.endsWith("/fixtures.ts")
  );
}

const trees = new Map<string, ts.SourceFile>();

/** A syntax tree with parents, so that positions and comments can be had. */
export function parse(path: string, text: string): ts.SourceFile {
  const known = trees.get(path);
  if (known?.text === text) return known;
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  trees.set(path, tree);
  return tree;
}

/** Visits every node. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** `file:line` of a node. */
export function place(file: ts.SourceFile, node: ts.Node): string {
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`;
}
