/** Seeds that found something, with what it was. They run in every `npm test`. */
export const regressions: readonly { readonly seed: number; readonly found: string }[] = [
  {
    seed: 54,
    found: "a wall clock set back by an hour held up every start under a limit with a rate for that hour (L2)",
  },
];
