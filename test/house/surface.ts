import { posix } from "node:path";
import ts from "typescript";
import { parse } from "./tree.js";

/** Reads a file by its path from the root; undefined if there is none. */
export type Reader = (path: string) => string | undefined;

/** Exports of an index that have no documentation, or that nobody named, as `path: lesson`. */
export function surfaceViolations(index: string, read: Reader): string[] {
  const text = read(index);
  if (text === undefined) return [];
  return parse(index, text).statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement)) return ownViolations(index, statement);
    const from =
      statement.moduleSpecifier && ts.isStringLiteral(statement.moduleSpecifier)
        ? statement.moduleSpecifier.text
        : undefined;
    if (!statement.exportClause)
      return [`${index}: export * from ${from}: name what is exported; an index is a promise`];
    if (ts.isNamespaceExport(statement.exportClause) || from === undefined || !from.startsWith(".")) return [];
    const target = resolve(index, from);
    const names = statement.exportClause.elements.map((element) => (element.propertyName ?? element.name).text);
    return names
      .filter((name) => !isDocumented(target, name, read))
      .map((name) => `${index}: ${name} (in ${target}): say what it does, its units, ranges and failures`);
  });
}

function ownViolations(index: string, statement: ts.Statement): string[] {
  if (!isExported(statement) || hasDoc(statement)) return [];
  return namesOf(statement).map((name) => `${index}: ${name}: say what it does, its units, ranges and failures`);
}

/** Fields and methods of exported interfaces and classes that have no documentation, as `path:line: lesson`. */
export function fieldViolations(index: string, read: Reader): string[] {
  const text = read(index);
  if (text === undefined) return [];
  const file = parse(index, text);
  const own = file.statements.filter(isExported).flatMap((statement) => bareFields(index, file, statement));
  const passedOn = file.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause || !ts.isNamedExports(statement.exportClause))
      return [];
    const from = statement.moduleSpecifier;
    if (!from || !ts.isStringLiteral(from) || !from.text.startsWith(".")) return [];
    const names = statement.exportClause.elements.map((element) => (element.propertyName ?? element.name).text);
    return fieldsBehind(resolve(index, from.text), names, read);
  });
  return [...own, ...passedOn];
}

function fieldsBehind(path: string, names: readonly string[], read: Reader): string[] {
  const text = read(path);
  if (text === undefined) return [];
  const file = parse(path, text);
  const [here, elsewhere] = [new Set(file.statements.flatMap(namesOf)), names];
  const found = file.statements
    .filter((statement) => namesOf(statement).some((name) => names.includes(name)))
    .flatMap((statement) => bareFields(path, file, statement));
  return elsewhere.every((name) => here.has(name)) ? found : [...found, ...fieldViolations(path, read)];
}

function bareFields(path: string, file: ts.SourceFile, statement: ts.Statement): string[] {
  const members: readonly ts.Node[] = ts.isInterfaceDeclaration(statement)
    ? statement.members
    : ts.isClassDeclaration(statement)
      ? statement.members.filter(isForUsers)
      : ts.isTypeAliasDeclaration(statement) && ts.isTypeLiteralNode(statement.type)
        ? statement.type.members
        : [];
  return members
    .filter(
      (member) => !ts.getJSDocCommentsAndTags(member).some((doc) => ts.isJSDoc(doc) && (doc.comment ?? "") !== ""),
    )
    .map((member) => {
      const line = file.getLineAndCharacterOfPosition(member.getStart(file)).line + 1;
      return `${path}:${line}: say what this field is: its meaning, unit, range and default are what people read on hover`;
    });
}

/** What users of a class see and what isn't explained by what it overrides. */
function isForUsers(member: ts.ClassElement): boolean {
  if (ts.isConstructorDeclaration(member) || (member.name && ts.isPrivateIdentifier(member.name))) return false;
  const hidden = [ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.ProtectedKeyword, ts.SyntaxKind.OverrideKeyword];
  return !(ts.canHaveModifiers(member) && (ts.getModifiers(member) ?? []).some(({ kind }) => hidden.includes(kind)));
}

/** Follows re-exports. What leaves the package, or can't be found, is somebody else's matter. */
function isDocumented(path: string, name: string, read: Reader): boolean {
  const text = read(path);
  if (text === undefined) return true;
  const file = parse(path, text);
  const own = file.statements.filter((statement) => namesOf(statement).includes(name));
  // Overloads, or a type and a value of one name: one text for all is enough.
  if (own.length > 0) return own.some(hasDoc);
  for (const statement of file.statements) {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause || !ts.isNamedExports(statement.exportClause))
      continue;
    const element = statement.exportClause.elements.find((each) => each.name.text === name);
    if (!element || !statement.moduleSpecifier || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const from = statement.moduleSpecifier.text;
    return (
      !from.startsWith(".") || isDocumented(resolve(path, from), (element.propertyName ?? element.name).text, read)
    );
  }
  return true;
}

function resolve(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts");
}

function isExported(node: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)
  );
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map((each) => each.name.getText());
  const named =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement);
  return named && statement.name ? [statement.name.text] : [];
}

function hasDoc(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).some((doc) => ts.isJSDoc(doc) && (doc.comment ?? "").length > 0);
}
