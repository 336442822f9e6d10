import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { publishedBerthSchema } from "./published.js";

it("publishes the schema that the code checks: run `node packages/standalone/scripts/publish-schema.mjs` after a change", () => {
  expect(JSON.parse(readFileSync(new URL("../schema/berth.schema.json", import.meta.url), "utf8"))).toEqual(
    JSON.parse(publishedBerthSchema()),
  );
});
