import { inspect } from "node:util";
import { z } from "zod";

const mask = "***";

/** A value that isn't shown: printing, logging, inspecting and serialising it give `***`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that needs it. */
  reveal(): string {
    return this.#value;
  }

  /** Three stars, as everywhere where it would be shown. */
  toString(): "***" {
    return mask;
  }

  /** As toString. */
  toJSON(): "***" {
    return mask;
  }

  /** As toString. */
  [inspect.custom](): "***" {
    return mask;
  }
}

/**
 * A setting that is kept as a {@link Secret}; a problem with it doesn't repeat the value. `problemOf` says what is wrong with a text, in words
 * that follow the setting's name and don't repeat the value either.
 */
export function secret(
  problemOf: (text: string) => string | undefined = () => undefined,
): z.ZodPipe<z.ZodUnknown, z.ZodTransform<Secret, unknown>> {
  return z.unknown().transform((given, context) => {
    const problem = typeof given === "string" && given !== "" ? problemOf(given) : "must be a text that isn't empty";
    if (problem === undefined) return new Secret(given as string);
    // No input in the issue: messages show that.
    context.issues.push({ code: "custom", message: `${problem} (the value isn't shown)`, input: undefined });
    return z.NEVER;
  });
}
