import { expect, it } from "vitest";
import { z } from "zod";
import { BadCommandLine, readCommandLine } from "./flags.js";

const schema = z.strictObject({ insecure: z.boolean().default(false), host: z.string().default("") });

it.each([
  [["--insecure"], { insecure: "true" }],
  [["--insecure", "--host", "a"], { insecure: "true", host: "a" }],
  [["--insecure", "false", "--host=a"], { insecure: "false", host: "a" }],
  [["--insecure=true"], { insecure: "true" }],
])("a flag of yes or no needs no value: %j", (argv, flags) => {
  expect(readCommandLine(argv, schema).flags).toEqual(flags);
});

it("every other flag needs one", () => {
  expect(() => readCommandLine(["--host"], schema)).toThrow(BadCommandLine);
});
