import { posix } from "node:path";
import ts from "typescript";
import { isTest, parse } from "./tree.js";

/** Packages of ours that each package may use. Anything else of ours is refused. */
const packageMayUse: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  // What a client needs and a service too. Nothing in it keeps, serves or exports anything, so a client's closure stays small.
  wire: ["contracts"],
  chassis: ["contracts", "wire"],
  testkit: ["contracts", "chassis"],
  client: ["contracts", "wire"],
  runner: ["contracts", "chassis"],
  standalone: ["contracts", "chassis", "client", "runner", "registry", "pool-manager", "scheduler", "metrics"],
  cli: ["contracts", "chassis", "client", "runner", "standalone"],
  dashboard: ["contracts"],
};

/** What each layer of a service may use of the same service. `main` is on top. */
const layerMayUse: Readonly<Record<string, readonly string[]>> = {
  domain: ["domain"],
  engine: ["engine", "domain"],
  store: ["store", "engine", "domain"],
  // Both speak the wire; the translation of messages lives in api/ and isn't written twice.
  events: ["events", "api", "engine", "domain"],
  api: ["api", "engine", "domain"],
  config: ["config", "engine", "domain"],
  service: ["service", "config", "api", "events", "store", "engine", "domain"],
  main: ["service", "config"],
  index: ["service", "config", "api", "events", "store", "engine", "domain"],
};

/** An import, as found. */
interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** Everything that a module imports, also by `export … from` and `import()`. */
export function importsOf(path: string, text: string): Import[] {
  const file = parse(path, text);
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return;
    found.push({
      specifier: specifier.text,
      typeOnly,
      line: file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1,
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnly(node.importClause));
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], false);
    if (deep) ts.forEachChild(node, visit);
  };
  // Most modules import at the top only, and then there is no need to look inside.
  const deep = text.includes("import(");
  for (const statement of file.statements) visit(statement);
  return found;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  return (
    !clause.name &&
    named !== undefined &&
    ts.isNamedImports(named) &&
    named.elements.every((element) => element.isTypeOnly)
  );
}

/** What is wrong with the imports of a file, as `path:line: lesson`. */
export function importViolations(path: string, text: string): string[] {
  return importsOf(path, text).flatMap((each) => {
    const lesson = lessonFor(path, each);
    return lesson === undefined ? [] : [`${path}:${each.line}: ${lesson}`];
  });
}

function lessonFor(path: string, { specifier, typeOnly }: Import): string | undefined {
  const room = /^(packages|services)\/([^/]+)\//.exec(path);
  if (!room) return undefined;
  const [, kind = "", name = ""] = room;
  if (specifier.startsWith(".")) return relativeLesson(path, specifier, `${kind}/${name}`);
  const own = /^@berth\/([^/]+)(?:\/(.*))?$/.exec(specifier);
  if (own) {
    const [, target = "", part] = own;
    if (target === name)
      return `imports its own package by name; write the relative path, so that tests and sources see the same module`;
    if (!mayUse(kind, name, target) && !(isTest(path) && target === "testkit"))
      return strangerLesson(kind, name, target);
    return layerOf(path) === "domain" && !isTest(path) ? domainLesson(kind, target, part, typeOnly) : undefined;
  }
  return platformLesson(path, specifier);
}

function mayUse(kind: string, name: string, target: string): boolean {
  return (kind === "services" ? ["contracts", "chassis"] : (packageMayUse[name] ?? [])).includes(target);
}

function strangerLesson(kind: string, name: string, target: string): string {
  if (kind === "services")
    return `${name} may use only contracts and chassis, not ${target}; services meet on the wire`;
  return `packages/${name} may not use ${target}; it may use: ${(packageMayUse[name] ?? []).join(", ") || "nothing of ours"}`;
}

/**
 * Wire messages and machinery stay outside; the shape of a core is all that a domain takes, and only as a type. The runner has no truth
 * of its own besides what it was sent, so its domain may speak of messages; it stays pure all the same.
 */
function domainLesson(kind: string, target: string, part: string | undefined, typeOnly: boolean): string | undefined {
  if (target === "chassis" && part === "engine" && typeOnly) return undefined;
  if (target === "contracts" && kind === "packages") return undefined;
  if (target === "contracts") return "domain/ doesn't know wire messages; translate them in api/";
  return "domain/ is pure: of ours it may import only types of @berth/chassis/engine; what it needs of the world comes in as an argument";
}

function relativeLesson(path: string, specifier: string, room: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  if (!target.startsWith(`${room}/`)) return `leaves its package (${specifier}); import the package by name`;
  if (!room.startsWith("services/") || isTest(path)) return undefined;
  const [from, to] = [layerOf(path), layerOf(target)];
  if (from === undefined || to === undefined || layerMayUse[from]?.includes(to)) return undefined;
  return `${from} may not use ${to}; imports run main -> service -> api, events, store -> engine -> domain`;
}

/** The layer of a file inside a service, or the room `domain` and `engine` of any package. */
export function layerOf(path: string): string | undefined {
  const inside = /^(?:packages|services)\/[^/]+\/src\/(.*)$/.exec(path)?.[1] ?? "";
  return (
    /^(api|domain|engine|events|store)\//.exec(inside)?.[1] ??
    /^(config|index|main|service)\.(?:ts|js)$/.exec(inside)?.[1]
  );
}

/** Modules of the platform that are doors to the world. */
const world =
  /^(node:)?(fs|net|http|https|http2|tls|dgram|dns|os|child_process|cluster|worker_threads|timers|perf_hooks|readline|crypto|stream)(\/|$)/;

function platformLesson(path: string, specifier: string): string | undefined {
  if (isTest(path)) return undefined;
  const layer = layerOf(path);
  if (layer === "domain" && specifier !== "node:assert" && specifier !== "node:assert/strict") {
    return `domain/ is pure and uses no library or platform module (${specifier}); take what you need as an argument`;
  }
  if (layer === "engine" && world.test(specifier))
    return `engine/ reaches the world only through its ports (${specifier}); declare one and implement it outside`;
  return /^(libsql|pg)$/.test(specifier) && !isStore(path) ? `SQL belongs to store/ (${specifier})` : undefined;
}

/** Where SQL may be. */
export function isStore(path: string): boolean {
  return (
    /^services\/[^/]+\/src\/store\//.test(path) ||
    /^packages\/(chassis\/src\/(sqlite|postgres)|testkit)\//.test(path) ||
    path.startsWith("test/")
  );
}
