import type { z } from "zod";
import { readYaml } from "./document.js";
import { check, type Finding } from "./issue.js";
import { ConfigError, type Problem, pathText } from "./problem.js";
import { knownKeys } from "./shape.js";

/**
 * Reads a text that people write and checks it. All problems come together, each with line and column.
 *
 * Use `z.strictObject` throughout, so that unknown keys are problems. A message that a schema gives itself follows the value: `{ error: "is
 * not a name" }` reads `"A b" is not a name`.
 *
 * @throws ConfigError on broken YAML, a key that is there twice, aliases that multiply, an unknown key, a bad value, or a number that can't be kept.
 */
export function parseYaml<S extends z.ZodType>(text: string, schema: S, source: string): z.output<S> {
  const yaml = readYaml(text, source, schema);
  const checked = check(schema, yaml.value);
  const findings = "data" in checked ? [] : checked.findings;
  const told = findings.map((finding) => ({
    source,
    ...yaml.place(finding.path, finding.aboutKey),
    path: pathText(finding.path),
    message: findingText(finding, schema),
  }));
  const problems = [...told, ...untold(yaml.problems, told)];
  if (problems.length > 0 || !("data" in checked)) throw new ConfigError(problems);
  return checked.data;
}

/** The problems of scalars of which the schema says nothing: one place is told once. */
export function untold(problems: readonly Problem[], told: readonly Problem[]): Problem[] {
  return problems.filter(({ line, column }) => !told.some((each) => each.line === line && each.column === column));
}

/** The message of a finding; with an unknown key, what would be known there. */
export function findingText(finding: Finding, schema: z.ZodType): string {
  if (finding.unknownKey === undefined) return finding.message;
  const known = knownKeys(schema, finding.path.slice(0, -1));
  return known.length > 0 ? `${finding.message}; known are: ${known.join(", ")}` : finding.message;
}
