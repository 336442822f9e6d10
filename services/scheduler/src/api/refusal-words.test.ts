import { pool } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { explain } from "../domain/explain.js";
import { shortCause } from "../domain/waiting.js";
import { refusalFacts } from "./translate.js";

describe("every reason that the API knows", () => {
  const reasons = Object.values(pool.Refusal_Reason).filter((each) => !/UNSPECIFIED|UNRECOGNIZED/.test(each));

  it.each(reasons)("%s has words of its own, on the board and in a line", (wire) => {
    const facts = refusalFacts({
      reason: wire,
      limit: "",
      pool: "build",
      wanted: 1n,
      used: 2n,
      capacity: 2n,
      holders: [],
      handler: "render",
      attached: [],
    });
    const apiWords = facts.reason.toLowerCase().replaceAll("_", " ");
    expect(facts.reason).not.toBe("");
    expect(shortCause([facts])).not.toBe(`build ${apiWords}`);
    expect(explain({ phase: "standing", ahead: 0, refusals: [facts], runner: "", message: "" })).not.toContain(
      facts.reason,
    );
  });
});
