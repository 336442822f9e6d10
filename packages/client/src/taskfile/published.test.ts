import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { publishedTaskSchema } from "./published.js";

it("publishes the schema that the code checks: run `node packages/client/scripts/publish-schema.mjs` after a change", () => {
  expect(JSON.parse(readFileSync(new URL("../../schema/tasks.schema.json", import.meta.url), "utf8"))).toEqual(
    JSON.parse(publishedTaskSchema()),
  );
});
