import type { LimitSpec, PoolSpec } from "./catalogue.js";
import { setLimit } from "./limit-catalogue.js";
import { putPool } from "./pool-catalogue.js";
import type { State, Turn } from "./state.js";

/** Creates what the configuration names and nobody has created or deleted before. Later changes at run time win. */
export function seed(state: State, turn: Turn, pools: readonly PoolSpec[], limits: readonly LimitSpec[]): void {
  const seeded = new Set(state.meta.seeded);
  const fresh = (key: string): boolean => !seeded.has(key) && Boolean(seeded.add(key));
  for (const spec of limits) {
    if (fresh(`limit ${spec.name}`) && !state.limits.has(spec.name))
      setLimit(state, turn, { ...spec, version: 0, requestId: "" });
  }
  for (const spec of pools) {
    if (fresh(`pool ${spec.name}`) && !state.pools.has(spec.name)) putPool(state, turn, spec, spec, { requestId: "" });
  }
  if (seeded.size !== state.meta.seeded.length) state.setMeta(turn, { seeded: [...seeded] });
}
