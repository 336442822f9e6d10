import { ReasonError } from "@berth/client";
import { expect, it } from "vitest";
import { describeError } from "./errors.js";
import { recordingIo } from "./fixtures.js";

it("limits that nobody has declared are told with the command that makes each", () => {
  const told = (undeclared: string) =>
    describeError(
      new ReasonError("INVALID_FIELD", "there is no limit", { metadata: { undeclared_limits: undeclared } }),
      recordingIo(),
    );
  expect(told("gpu")).toEqual({
    message: "there is no limit\n  to make it: `berth limit set gpu --capacity N --create`",
    exitCode: 2,
  });
  expect(told("gpu,api:x").message).toContain(
    "\n  to make them: `berth limit set gpu --capacity N --create`\n  `berth limit set api:x --capacity N --create`",
  );
});
