import { fields, kind } from "@berth/wire/config";
import type { z } from "zod";

/** A command line, read. */
export interface CommandLine {
  /** Values by the path of their setting. */
  readonly flags: Readonly<Record<string, string>>;
  /** A YAML file with settings. */
  readonly config: string | undefined;
  readonly help: boolean;
}

/** The command line can't be read; the message says what is wrong. */
export class BadCommandLine extends Error {}

/** A setting as the command line, the environment and the file know it. */
interface Setting {
  /** Such as `retry.maxAttempts`, as in the file. */
  readonly path: string;
  /** Such as `--retry.max-attempts`. */
  readonly flag: string;
  /** Such as `BERTH_RETRY__MAX_ATTEMPTS`. */
  readonly variable: string;
  /** True if the flag alone means true. */
  readonly yes: boolean;
}

/** The settings of a schema; those of a mapping with free names count as one. */
export function settingsOf(schema: z.ZodType, path: readonly string[] = []): Setting[] {
  const shape = kind(schema) === "object" ? fields(schema) : undefined;
  if (shape) return Object.entries(shape).flatMap(([key, inner]) => settingsOf(inner, [...path, key]));
  const words = path.map((part) => part.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase());
  const variable = words.map((part) => part.replaceAll("-", "_").toUpperCase()).join("__");
  return [
    {
      path: path.join("."),
      flag: `--${words.join(".")}`,
      variable: `BERTH_${variable}`,
      yes: kind(schema) === "boolean",
    },
  ];
}

/** Reads `--flag value` and `--flag=value`; where the value is yes or no, `--flag` alone is `true`. @throws BadCommandLine for what no setting is called. */
export function readCommandLine(argv: readonly string[], schema: z.ZodType): CommandLine {
  const known = new Map(settingsOf(schema).map((setting) => [setting.flag, setting]));
  const flags: Record<string, string> = {};
  let config: string | undefined;
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--help" || word === "-h") return { flags, config, help: true };
    const [flag = "", ...parts] = word.split("=");
    const setting = known.get(flag);
    if (flag !== "--config" && setting === undefined)
      throw new BadCommandLine(`${word} isn't known here; --help shows what is`);
    const alone = setting?.yes === true && !/^(true|false)$/.test(rest[0] ?? "");
    const value = parts.length > 0 ? parts.join("=") : alone ? "true" : rest.shift();
    if (value === undefined) throw new BadCommandLine(`${flag} needs a value`);
    if (setting === undefined) config = value;
    else flags[setting.path] = value;
  }
  return { flags, config, help: false };
}

/** What `--help` prints: every setting with its flag, its variable and its default. */
export function helpText(name: string, about: string, schema: z.ZodType): string {
  const usual = schema.parse({}) as Record<string, unknown>;
  const rows = settingsOf(schema).map(({ flag, variable, path }) => [flag, variable, shown(at(usual, path))] as const);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column as 0 | 1].length)));
  const lines = rows.map(
    ([flag, variable, value]) => `  ${flag.padEnd(widths[0] ?? 0)}  ${variable.padEnd(widths[1] ?? 0)}  ${value}`,
  );
  return [
    `${name}: ${about}`,
    "",
    "Settings: flags win over the environment, the environment over the file. What each means is in docs/operations.md.",
    `  ${"--config FILE".padEnd(widths[0] ?? 0)}  ${"BERTH_CONFIG".padEnd(widths[1] ?? 0)}  YAML file of settings, with the names that they have there`,
    ...lines,
    "",
  ].join("\n");
}

function at(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
}

function shown(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
