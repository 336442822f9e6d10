import { difference, sumWeights } from "../domain/limits.js";
import type { PoolEngine } from "./service.js";

/**
 * Compares the counts in memory with the rows and the journal, as of one commit. Returns the difference; the first time that there is one, granting
 * stops and an alarm is raised.
 */
export async function audit(engine: PoolEngine): Promise<number> {
  const { state } = engine.core;
  const pictures = new Map<number, ReadonlyMap<string, number>>();
  const ended = engine.onCommit(({ n }) => void pictures.set(n, state.ledger.counts()));
  try {
    await engine.run("mark", {});
    const { n, leases } = await engine.store.occupying();
    // The rows may be ahead of what is known here to be committed: after another commit everything up to n has its picture.
    await engine.run("mark", {});
    const at = Math.max(...[...pictures.keys()].filter((m) => m <= n));
    const drift = difference(pictures.get(at) ?? new Map(), sumWeights(leases));
    if (drift === state.drift) return drift;
    // Once granting has stopped it stays so: the counts can't be trusted before they are rebuilt.
    if (drift === 0) return state.drift;
    engine.alarm(
      { drift, n },
      "the counts in memory differ from the rows: granting has stopped; restart the pool-manager",
    );
    await engine.run("drift", { drift });
    return drift;
  } finally {
    ended();
  }
}
