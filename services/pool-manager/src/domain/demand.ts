import type { Bid } from "./bid.js";
import type { Weight } from "./lease.js";
import { limitNames } from "./pool.js";

/** What a class asks for in one pool. */
export interface DemandPool {
  readonly pool: string;
  readonly weights: readonly Weight[];
  /** Remembers whether any runner could take it, as of a version of the fleet. */
  hope: { readonly fleet: number; readonly reason: "NO_RUNNER" | "NO_HANDLER" | "POOL_PAUSED" | undefined };
}

/** What the bids of a class ask for, worked out once. */
export interface Demand {
  /** Weights that are the same in every pool: global, tenant, named limits. */
  readonly common: readonly Weight[];
  /** Acceptable pools, best first, with what a lease weighs there. One entry without a name for a bid that names its runner only. */
  readonly pools: readonly DemandPool[];
  readonly labels: readonly (readonly [string, string])[];
  readonly runner: string;
  /** Handler that the runner must have; empty for none. */
  readonly handler: string;
  readonly priority: number;
  readonly tenant: string;
}

/** Works out what a bid asks for. Named weights on the same limit add up. */
export function demandOf(bid: Bid): Demand {
  const common = new Map<string, number>([[limitNames.global, 1]]);
  if (bid.tenant !== "") common.set(limitNames.tenant(bid.tenant), 1);
  for (const [limit, weight] of bid.weights) common.set(limit, (common.get(limit) ?? 0) + weight);
  const pools = bid.pools.length > 0 ? bid.pools : [""];
  return {
    common: [...common],
    pools: pools.map((pool) => ({
      pool,
      weights: poolWeights(pool, bid),
      hope: { fleet: -1, reason: undefined },
    })),
    labels: Object.entries(bid.labels),
    runner: bid.runner,
    handler: bid.handler,
    priority: bid.priority,
    tenant: bid.tenant,
  };
}

function poolWeights(pool: string, bid: Bid): Weight[] {
  if (pool === "") return [];
  const weights: Weight[] = [[limitNames.pool(pool), 1]];
  if (bid.cpuMillis > 0) weights.push([limitNames.cpu(pool), bid.cpuMillis]);
  if (bid.memoryBytes > 0) weights.push([limitNames.memory(pool), bid.memoryBytes]);
  return weights;
}
