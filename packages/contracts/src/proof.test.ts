import { describe, expect, it } from "vitest";
import { describe as read } from "./descriptors.js";
import { checkProof, proofOf, runner } from "./index.js";

const secret = Buffer.from("a secret of some lease");
const outcome: runner.Outcome = {
  result: runner.Outcome_Result.FAILED,
  exitCode: 3,
  signal: "SIGKILL",
  message: "w\u00f6rds \ud83d\ude80 \ud83d",
  resultJson: Buffer.from("[1]"),
  startTime: new Date(1_000.9),
  endTime: new Date(2_000),
  permanent: true,
  outputBytes: 5n,
};
const completion = { lease: "d-1", token: 7n, outcome };
const proof = proofOf(secret, completion);

/** Everything that is proved, changed in one place each. */
const changed: Record<string, unknown> = {
  result: runner.Outcome_Result.SUCCEEDED,
  exitCode: undefined,
  signal: "",
  message: "other",
  resultJson: Buffer.from("[2]"),
  startTime: undefined,
  endTime: new Date(2_001),
  permanent: false,
  outputBytes: 6n,
};

describe("a completion is proved", () => {
  it("by who was told the secret, for this lease, token and outcome only", () => {
    expect(checkProof(secret, completion, proof)).toBe("proved");
    expect(checkProof(Buffer.from("another"), completion, proof)).toBe("wrong");
    expect(checkProof(secret, { ...completion, lease: "d-2" }, proof)).toBe("wrong");
    expect(checkProof(secret, { ...completion, token: 8n }, proof)).toBe("wrong");
    expect(checkProof(secret, completion, Buffer.alloc(0))).toBe("missing");
    expect(checkProof(secret, completion, Buffer.from([2, ...proof.subarray(1)]))).toBe("missing");
    expect(checkProof(secret, completion, proof.subarray(0, 32))).toBe("wrong");
  });

  it.each(
    read()
      .messages.get(".berth.runner.v1.Outcome")
      ?.field.map(({ jsonName }) => jsonName) ?? [],
  )("in every field of its outcome: %s", (field) => {
    expect(field in changed).toBe(true);
    const forged = { ...completion, outcome: { ...outcome, [field]: changed[field] } };
    expect(checkProof(secret, forged, proof)).toBe("wrong");
  });

  it("with bytes that don't run into each other", () => {
    const moved = { ...completion, outcome: { ...outcome, signal: "SIGKILLw", message: outcome.message.slice(1) } };
    expect(checkProof(secret, moved, proof)).toBe("wrong");
  });

  it("over the wire and out of a file as where it was made", () => {
    const whole = runner.Completion.fromPartial({ ...completion, proof });
    for (const arrived of [
      runner.Completion.decode(runner.Completion.encode(whole).finish()),
      runner.Completion.fromJSON(JSON.parse(JSON.stringify(runner.Completion.toJSON(whole)))),
    ])
      expect(checkProof(secret, arrived, arrived.proof)).toBe("proved");
  });
});
