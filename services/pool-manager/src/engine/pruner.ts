import type { Clock } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";
import { positionsPerGroup } from "../domain/changes.js";
import type { PoolEngine } from "./service.js";

/** Rows of a kind that go at once, and times in one round: what is left goes with the next. */
const pruneMax = { rows: 500, times: 100 };

/** Settings of {@link prune}. */
export interface PruneOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Finished leases go at this age, milliseconds. */
  readonly retentionMs: number;
  /** True once it is to stop. */
  readonly stopping: () => boolean;
}

/** Deletes finished leases that are old enough, and the journal that neither a replay nor the registry needs, a little at a time. */
export async function prune(engine: PoolEngine, { clock, logger, retentionMs, stopping }: PruneOptions): Promise<void> {
  const endedBeforeMs = clock.wallMs() - retentionMs;
  await engine.run("horizon", { beforeMs: endedBeforeMs });
  const journalBelow = Math.floor(engine.core.state.meta.acknowledged / positionsPerGroup);
  let gone = 0;
  for (let time = 0; time < pruneMax.times && !stopping(); time++) {
    const went = await engine.store.prune({ journalBelow, endedBeforeMs, max: pruneMax.rows });
    gone += went;
    if (went === 0) break;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  if (gone > 0) logger.debug({ gone, journalBelow }, "pruned");
}
