import { expect, it } from "vitest";
import { describe } from "./descriptors.js";
import { beginsTrace, needs } from "./index.js";

const methods = [...describe().methods.keys()];

it("every method says what it needs, and nothing else does", () => {
  expect(methods.length).toBeGreaterThan(0);
  expect(Object.keys(needs).sort()).toEqual(methods.sort());
});

it("only what somebody asks to change begins a trace: no read, and nothing that services and runners tell each other", () => {
  const begin = methods.filter(beginsTrace).map((method) => method.split("/")[1]);
  expect(begin.sort()).toEqual([
    "AcceptLateResult",
    "CancelTasks",
    "CreateLimit",
    "CreatePool",
    "DeleteLimit",
    "DeletePool",
    "RetryTasks",
    "SubmitTasks",
    "UpdateLimit",
    "UpdatePool",
  ]);
});
