import { expect, it } from "vitest";
import { runningWords } from "./status.js";

it.each([
  [0n, 0n, "0 running"],
  [5n, 5n, "5 running"],
  [5n, 4n, "4 running, 1 starting"],
  [2n, 0n, "0 running, 2 starting"],
])(
  "%d leases, of which %d runs have begun, are told in the words of the board",
  (runningCount, startedCount, words) => {
    expect(runningWords({ runningCount, startedCount })).toBe(words);
  },
);
