import { registry } from "@berth/contracts";
import { expect, it } from "vitest";
import { Failures } from "./failures.js";

it("names each task as it fails, once, and no more than twenty of them", () => {
  const failures = new Failures();
  const at = (state: keyof typeof registry.Task_State) =>
    registry.Task.fromPartial({ state: registry.Task_State[state] });
  expect(failures.toName(at("RUNNING"), undefined)).toBe(false);
  expect(failures.toName(at("FAILED"), at("RUNNING"))).toBe(true);
  expect(failures.toName(at("FAILED"), at("FAILED"))).toBe(false);
  const more = Array.from({ length: 30 }, () => failures.toName(at("FAILED"), at("RUNNING")));
  expect(more.filter(Boolean)).toHaveLength(19);
});
