import { describe, expect, it } from "vitest";
import { Bench, exampleSubmission, exampleTask } from "./examples.js";

describe("the trace of a task", () => {
  const headers = (bench: Bench) => ["a", "b"].map((id) => bench.task(id).header);
  const submit = (bench: Bench, traces: readonly string[]) => {
    const submission = exampleSubmission([exampleTask("a"), exampleTask("b")], { traceParent: "submission", traces });
    bench.do({ kind: "submit", submission, facts: bench.facts() });
  };

  it("is its own where there is one for each, and keeps what it is linked with", () => {
    const bench = new Bench();
    submit(bench, ["root-a", "root-b"]);
    expect(headers(bench)).toMatchObject([
      { traceParent: "root-a", submission: "submission" },
      { traceParent: "root-b", submission: "submission" },
    ]);
  });

  it("is the client's otherwise", () => {
    const bench = new Bench();
    submit(bench, []);
    for (const header of headers(bench)) {
      expect(header.traceParent).toBe("submission");
      expect(header.submission).toBeUndefined();
    }
  });
});
