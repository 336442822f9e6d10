import { expect, it } from "vitest";
import { describe } from "./descriptors.js";
import { needs } from "./index.js";

const methods = [...describe().methods.keys()];

it("every method says what it needs, and nothing else does", () => {
  expect(methods.length).toBeGreaterThan(0);
  expect(Object.keys(needs).sort()).toEqual(methods.sort());
});
