import { ReasonError } from "@berth/wire/grpc";

/** Times that facts are read again for the same items before the caller is asked to come back. */
const rereadsMax = 5;

/** How a command is made whose decision needs facts that aren't in memory. */
export interface Reading<Item, Command, Outcome, Result, Stale extends Result> {
  /**
   * Reads the facts about `items` and makes the command. It notes how far the memory reached **before** it reads, so that the decision can see
   * what has left the memory since. `again` is 0 at first, and grows when the items are asked about anew.
   */
  readonly read: (items: readonly Item[], again: number) => Promise<Command>;
  /** What became of each of the items, in order. */
  readonly results: (outcome: Outcome, items: readonly Item[]) => readonly Result[];
  /** True for a result that says: the facts were overtaken, nothing was decided about this one. */
  readonly isStale: (result: Result) => result is Stale;
}

/**
 * Read, then decide. Between the reading and the decision anything may happen: what was in memory may have left it, and then it is in neither. Such
 * an item is stale; its facts are read again. To decide inside the reading instead would hold every other command up for as long as a disk takes.
 */
export async function submitWith<Item, Command, Outcome, Result, Stale extends Result>(
  submit: (command: Command) => Promise<Outcome>,
  items: readonly Item[],
  { read, results, isStale }: Reading<Item, Command, Outcome, Result, Stale>,
): Promise<Exclude<Result, Stale>[]> {
  const decided: Exclude<Result, Stale>[] = [];
  let open = items.map((item, at) => ({ item, at }));
  for (let again = 0; open.length > 0; again++) {
    if (again > rereadsMax)
      throw new ReasonError(
        "STORE_STALLED",
        `what this concerns has changed ${again} times while it was read, so ${open.length} of ${items.length} items aren't decided: repeat the call`,
        { retryAfterMs: 200 },
      );
    const asked = open.map(({ item }) => item);
    const answers = results(await submit(await read(asked, again)), asked);
    if (answers.length !== asked.length)
      throw new Error(`${asked.length} items were decided, ${answers.length} results came back`);
    open = open.filter(({ at }, i) => {
      const result = answers[i] as Result;
      if (isStale(result)) return true;
      decided[at] = result as Exclude<Result, Stale>;
      return false;
    });
  }
  return decided;
}
