import { parse } from "yaml";
import type { z } from "zod";
import type { Problem } from "./problem.js";
import { fields, kind, recordValue } from "./shape.js";

/** A value given outside the file. */
export interface Given {
  /** For messages: `environment BERTH_…` or `flag …`. */
  readonly source: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** What the environment gives, and the names in it that nothing knows. */
export function readEnvironment(
  schema: z.ZodType,
  environment: NodeJS.ProcessEnv,
  prefix: string,
  options: { readonly allow: readonly string[]; readonly file: unknown },
): { given: Given[]; problems: Problem[] } {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const [name, text] of Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1))) {
    // An empty variable counts as absent: compose files and shells can't unset one.
    if (!name.startsWith(prefix) || text === undefined || text === "" || options.allow.includes(name)) continue;
    const target = findSetting(schema, name.slice(prefix.length).split("__"), options.file);
    if (!target) {
      problems.push({
        source: "environment",
        path: name,
        message: `is not a known setting; known names begin ${beginnings(schema, prefix)}`,
      });
      continue;
    }
    given.push({ source: `environment ${name}`, path: target.path, value: typed(target.schema, text) });
  }
  return { given, problems };
}

/**
 * Finds the setting that a variable means. Each part (between `__`) stands for one level; letters' case and `_` don't count, so
 * `MAX_CONCURRENCY` is `maxConcurrency`. Under free names (pools), the name in the file that reads the same is meant, else the part in
 * small letters with `-` for `_`.
 */
function findSetting(
  schema: z.ZodType,
  parts: readonly string[],
  file: unknown,
): { path: string[]; schema: z.ZodType } | undefined {
  const [part, ...rest] = parts;
  if (part === undefined) return { path: [], schema };
  if (part === "") return undefined;
  const inFile = Object.keys(isMapping(file) ? file : {});
  const shape = fields(schema);
  const value = recordValue(schema);
  let key: string | undefined;
  if (shape) key = Object.keys(shape).find((each) => plain(each) === plain(part));
  else if (value) key = inFile.find((each) => plain(each) === plain(part)) ?? part.toLowerCase().replaceAll("_", "-");
  const next = key === undefined ? undefined : (shape?.[key] ?? value);
  if (key === undefined || next === undefined) return undefined;
  const found = findSetting(next, rest, isMapping(file) ? file[key] : undefined);
  return found && { path: [key, ...found.path], schema: found.schema };
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_.-]/g, "");
}

function beginnings(schema: z.ZodType, prefix: string): string {
  const names = Object.keys(fields(schema) ?? {});
  return names.map((name) => prefix + name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()).join(", ");
}

/** A text as the setting's kind wants it. What doesn't fit stays a text, for the schema to refuse by name. */
export function typed(schema: z.ZodType, text: string): unknown {
  switch (kind(schema)) {
    case "string":
    case "enum":
    case "unknown":
      return text;
    case "number":
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "array":
      return text.startsWith("[") ? flow(text) : text.split(",").map((item) => item.trim());
    default:
      return flow(text);
  }
}

/** Text as YAML, the way it would read in the file: `10s`, `500`, `{a: 1}`. */
function flow(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/** Whether a value is a mapping. */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
