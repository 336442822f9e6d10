import type { z } from "zod";
import { check } from "./issue.js";
import { ConfigError, pathText } from "./problem.js";
import { findingText } from "./yaml.js";

/**
 * Checks a value that a program gives, with the same words as a file. `source` names it in the messages.
 *
 * @throws ConfigError with everything that is wrong.
 */
export function checkValue<S extends z.ZodType>(value: unknown, schema: S, source: string): z.output<S> {
  const checked = check(schema, value);
  if ("data" in checked) return checked.data;
  throw new ConfigError(
    checked.findings.map((finding) => ({
      source,
      path: pathText(finding.path),
      message: findingText(finding, schema),
    })),
  );
}
