import ts from "typescript";
import { isStore, layerOf } from "./imports.js";
import { isTest, parse, place, walk } from "./tree.js";

/** What reads a clock, sets a timer or throws dice. */
const impure = new Map([
  ["Date.now", "take the moment as an argument (Now or Clock)"],
  ["performance.now", "take the moment as an argument (Now or Clock)"],
  ["process.hrtime", "take the moment as an argument (Now or Clock)"],
  ["Math.random", "take the number, or a random function, as an argument"],
  ["setTimeout", "take a Clock and use setTimer"],
  ["setInterval", "take a Clock and use setTimer"],
  ["randomUUID", "take the id, or a function that makes ids, as an argument"],
  ["randomBytes", "take the id, or a function that makes ids, as an argument"],
  ["getRandomValues", "take the id, or a function that makes ids, as an argument"],
]);

/** Clock, chance and waiting in the rooms `domain/` and `engine/`, as `path:line: lesson`. */
export function purityViolations(path: string, text: string): string[] {
  const layer = layerOf(path);
  if ((layer !== "domain" && layer !== "engine") || isTest(path)) return [];
  const file = parse(path, text);
  const found: string[] = [];
  walk(file, (node) => {
    const lesson = impurity(node) ?? (layer === "domain" ? asynchrony(node) : undefined);
    if (lesson !== undefined) found.push(`${place(file, node)}: ${layer}/ ${lesson}`);
  });
  return found;
}

function impurity(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const name = node.name.text;
    const whole = ts.isIdentifier(node.expression) ? `${node.expression.text}.${name}` : name;
    // `clock.setTimeout` would be somebody's own; `globalThis.setTimeout` and `crypto.randomUUID` aren't.
    const hidden = /^(globalThis|crypto|timers)\./.test(whole) ? name : undefined;
    const key = [whole, hidden].find((each) => each !== undefined && impure.has(each));
    return key === undefined ? undefined : `uses ${whole}; ${impure.get(key)}`;
  }
  if (ts.isIdentifier(node) && impure.has(node.text) && isFreeUse(node))
    return `uses ${node.text}; ${impure.get(node.text)}`;
  if (ts.isNewExpression(node) && isNamed(node.expression, "Date") && (node.arguments ?? []).length === 0) {
    return "uses new Date(); take the moment as an argument (Now or Clock)";
  }
  if (ts.isCallExpression(node) && isNamed(node.expression, "Date"))
    return "uses Date(); take the moment as an argument (Now or Clock)";
  return undefined;
}

function isNamed(node: ts.Node, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name;
}

/** The name itself, not a property, a key or a declaration that happens to be called the same. */
function isFreeUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  const declares =
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent);
  return !(declares && parent.name === node) && !ts.isParameter(parent) && !ts.isBindingElement(parent);
}

const asynchronous = new Set(["Promise", "setImmediate", "queueMicrotask"]);

function asynchrony(node: ts.Node): string | undefined {
  const keyword =
    node.kind === ts.SyntaxKind.AsyncKeyword || node.kind === ts.SyntaxKind.AwaitKeyword || ts.isAwaitExpression(node);
  const name = ts.isIdentifier(node) && asynchronous.has(node.text) && isFreeUse(node);
  return keyword || name ? "is synchronous: decide here, let the engine wait and act" : undefined;
}

const statement =
  /^\s*(select\s[\s\S]+\sfrom\s|insert\s+(or\s+\w+\s+)?into\s|update\s+\w+\s+set\s|delete\s+from\s|(create|drop)\s+(unique\s+)?(table|index|schema)\s|alter\s+table\s|pragma\s+\w+|begin\s+(immediate|exclusive)\b)/i;

/** Whether a text can hold a statement at all; saves taking most files apart. */
const opening = /["'`]\s*(select|insert|update|delete|create|drop|alter|pragma|begin)\b/i;

/** SQL outside the rooms that may hold it, as `path:line: lesson`. */
export function sqlViolations(path: string, text: string): string[] {
  if (isStore(path) || !opening.test(text)) return [];
  const file = parse(path, text);
  const found: string[] = [];
  walk(file, (node) => {
    const literal = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) ? node.text : "";
    if (statement.test(literal))
      found.push(`${place(file, node)}: SQL belongs to store/; declare what you need in the port and call that`);
  });
  return found;
}
