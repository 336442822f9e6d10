import { delay, systemClock } from "@berth/chassis/clock";
import type { BerthView } from "./system.js";

const lookEveryMs = 200;

/** What the pool-manager said of its limits while they were watched. */
export interface Watched {
  readonly looks: number;
  /** Limits that had more in use than they have, or counts that disagreed; empty if all is well. */
  readonly faults: readonly string[];
  /** Largest use seen, by limit. */
  readonly most: ReadonlyMap<string, number>;
}

/** Looks at GetStatus again and again until `ended`. */
export function watchLimits(berth: BerthView): { end(): Promise<Watched> } {
  const ending = new AbortController();
  const faults = new Set<string>();
  const most = new Map<string, number>();
  const watching = (async () => {
    for (let looks = 1; ; looks++) {
      const status = await berth.client.pools.getStatus({});
      if (status.drift !== 0n) faults.add(`drift ${status.drift}`);
      if (status.grantedTotal - status.releasedTotal !== status.runningCount)
        faults.add("granted - released != running");
      for (const { limit, used, capacity } of status.limits) {
        if (used > capacity) faults.add(`${limit}: ${used} of ${capacity} in use`);
        most.set(limit, Math.max(most.get(limit) ?? 0, Number(used)));
      }
      if (ending.signal.aborted) return looks;
      await delay(systemClock, lookEveryMs, ending.signal);
    }
  })();
  return {
    async end() {
      ending.abort();
      return { looks: await watching, faults: [...faults], most };
    },
  };
}
