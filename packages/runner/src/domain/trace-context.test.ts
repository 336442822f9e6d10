import { runner } from "@berth/contracts";
import { describe, expect, it } from "vitest";
import { addTraceContext, traceContextOf } from "./trace-context.js";

const work = runner.Work.fromPartial({ traceParent: "given", run: { traceState: "state", baggage: "bag" } });
const environmentOf = (of: runner.Work, own: Record<string, string> = {}, span?: string): Record<string, string> => {
  const environment = { ...own };
  addTraceContext(environment, traceContextOf(of, span));
  return environment;
};

describe("what a run goes on with", () => {
  it("is what came with the work, and its own span where it has one", () => {
    expect(environmentOf(work)).toEqual({ TRACEPARENT: "given", TRACESTATE: "state", BAGGAGE: "bag" });
    expect(environmentOf(work, {}, "span").TRACEPARENT).toBe("span");
    expect(environmentOf(runner.Work.fromPartial({}))).toEqual({});
  });

  it("wins over a task's own variables, and leaves no trace state of another trace beside its trace parent", () => {
    const own = { TRACEPARENT: "mine", TRACESTATE: "mine", BAGGAGE: "mine" };
    expect(environmentOf(runner.Work.fromPartial({}), own)).toEqual(own);
    const withoutState = runner.Work.fromPartial({ traceParent: "given" });
    expect(environmentOf(withoutState, own)).toEqual({ TRACEPARENT: "given", BAGGAGE: "mine" });
  });
});
