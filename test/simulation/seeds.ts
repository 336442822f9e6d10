/** Seeds that found something, with what it was. They run in every `npm test`. */
export const regressions: readonly { readonly seed: number; readonly found: string }[] = [
  {
    seed: 54,
    found: "a wall clock set back by an hour held up every start under a limit with a rate for that hour (L2)",
  },
  {
    seed: 280,
    found:
      "the late attachment of a process that had died before it attached replaced a later, living one: its leases were released under live runs (S2)",
  },
  { seed: 511, found: "the same, seen from the runner: work of a lease so released began to run (S2)" },
  {
    seed: 262,
    found:
      "the audit compared rows that were one commit ahead of its picture of the counts, and stopped granting for ever (L2)",
  },
  {
    seed: 1623,
    found:
      "a released lease was forgotten between the look into the memory and the decision: its late outcome was called stale and lost (S7)",
  },
];
