import type { z } from "zod";
import { readYaml, type YamlText } from "./document.js";
import { type Given, isMapping, readEnvironment, typed } from "./environment.js";
import { check, type Finding } from "./issue.js";
import { ConfigError, type Problem, pathText } from "./problem.js";
import { fields, recordValue } from "./shape.js";
import { readText } from "./text.js";
import { findingText, untold } from "./yaml.js";

/** Where a configuration comes from. */
export interface LoadOptions<S extends z.ZodObject> {
  /** Use `z.strictObject` throughout, so that unknown keys are problems. */
  readonly schema: S;
  /** A YAML file that must be there. Absent: no file is read. */
  readonly file?: string;
  /** Where the variables are read. */
  readonly environment: NodeJS.ProcessEnv;
  /** Default: `BERTH_`. */
  readonly prefix?: string;
  /** Variables with the prefix that aren't settings, such as `BERTH_TOKEN`. */
  readonly allow?: readonly string[];
  /** Values by path (`poolManager.port`); those that are undefined weren't given. Texts are read as the setting's kind wants. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/**
 * Reads a configuration: flags win over the environment, the environment over the file, the file over the schema's defaults. The result is
 * frozen throughout.
 *
 * A setting `poolManager.port` is `BERTH_POOL_MANAGER__PORT`: `__` goes one level down, a single `_` parts the words of a name. Lists are
 * written with commas or as `[a, b]`, mappings as `{a: 1}`. An empty variable counts as absent.
 *
 * @throws ConfigError with everything that is wrong: unknown keys and variables, bad values, broken YAML, an unreadable file.
 */
export function loadConfig<S extends z.ZodObject>(options: LoadOptions<S>): Readonly<z.output<S>> {
  const { schema, environment, prefix = "BERTH_", allow = [], flags = {} } = options;
  const yaml = options.file === undefined ? undefined : readYaml(readText(options.file), options.file, schema);
  const file = yaml?.value ?? {};
  const fromEnvironment = readEnvironment(schema, environment, prefix, { allow, file });
  const given = [...fromEnvironment.given, ...readFlags(schema, flags)];

  const merged = isMapping(file) ? given.reduce(place, file) : file;
  const checked = check(schema, merged);
  const problems = [...fromEnvironment.problems];
  if ("findings" in checked)
    problems.push(...checked.findings.map((finding) => located(finding, options, yaml, given)));
  problems.push(...untold(yaml?.problems ?? [], problems));
  if (problems.length > 0 || !("data" in checked)) throw new ConfigError(problems);
  return deepFreeze(checked.data);
}

function readFlags(schema: z.ZodType, flags: Readonly<Record<string, unknown>>): Given[] {
  const present = Object.entries(flags).filter(([, value]) => value !== undefined);
  return present.map(([name, value]) => {
    const path = name.split(".");
    const setting = path.reduce<z.ZodType | undefined>(
      (at, key) => at && (fields(at)?.[key] ?? recordValue(at)),
      schema,
    );
    return {
      source: `flag ${name}`,
      path,
      value: setting && typeof value === "string" ? typed(setting, value) : value,
    };
  });
}

/** A copy with one value put in its place; what is there and isn't a mapping gives way. */
function place(target: Record<string, unknown>, given: Given): Record<string, unknown> {
  const [key = "", ...rest] = given.path;
  if (rest.length === 0) return { ...target, [key]: given.value };
  const below = target[key];
  return { ...target, [key]: place(isMapping(below) ? below : {}, { ...given, path: rest }) };
}

/** The last one that set the place, or something above it, is to blame; else the file. */
function located(
  finding: Finding,
  options: LoadOptions<z.ZodObject>,
  yaml: YamlText | undefined,
  given: readonly Given[],
): Problem {
  const path = pathText(finding.path);
  const message = findingText(finding, options.schema);
  const blamed = given.findLast((each) => each.path.every((part, index) => part === String(finding.path[index])));
  if (blamed) return { source: blamed.source, path, message };
  if (yaml && options.file !== undefined)
    return { source: options.file, ...yaml.place(finding.path, finding.aboutKey), path, message };
  return { source: "configuration", path, message };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) deepFreeze(each);
  }
  return value;
}
