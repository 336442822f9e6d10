import type { Now } from "@berth/chassis/engine";
import type { Holder, Order, Refusal, RefusalReason } from "./bid.js";
import { limitRefusal } from "./constraints.js";
import type { Demand, DemandPool } from "./demand.js";
import type { Weight } from "./lease.js";
import { limitNames } from "./pool.js";
import { freeSlot, handlersAt, pickRunner, poolKey } from "./runners.js";
import type { Session, State } from "./state.js";

/** Where a bid would go. */
export interface Placement {
  readonly pool: string;
  readonly session: Session;
  readonly slot: string;
  readonly weights: readonly Weight[];
}

/** One thing that stands in the way. */
export interface Block {
  readonly reason: RefusalReason;
  /** What has to change: a limit, or a pool's runners. */
  readonly key: string;
  readonly limit: string;
  readonly pool: string;
  readonly wanted: number;
  readonly used: number;
  readonly capacity: number;
}

/** What admission says: all or nothing over every limit that the bid touches. */
export type Admission = { readonly placement: Placement } | { readonly blocks: readonly Block[] };

/** Holders that a refusal names. */
const holdersShown = 10;

/**
 * Says where a bid of this demand would go now, or what refuses it. Takes nothing. `whole` looks for a runner even where a limit refuses
 * already, so that people see everything; granting doesn't need that, and looking is what costs most.
 */
export function admit(state: State, demand: Demand, order: Order, now: Now, whole = false): Admission {
  const common = limitBlocks(state, demand.common, demand.priority, "", order, now);
  const blocks: Block[] = [];
  for (const option of demand.pools) {
    const inPool = limitBlocks(state, option.weights, demand.priority, option.pool, order, now);
    const refusedAlready = inPool.length > 0 || common.length > 0;
    const found =
      refusedAlready && !whole ? hopeless(state, demand, option, now) : findPlace(state, demand, option.pool, now);
    if (found && "key" in found) inPool.push(found);
    else if (found && !refusedAlready) {
      const runner: Weight = [limitNames.runner(found.session.record.runner), 1];
      return { placement: { ...found, weights: [...demand.common, ...option.weights, runner] } };
    }
    blocks.push(...inPool);
  }
  return { blocks: [...common, ...blocks] };
}

/** Says which limits refuse these weights. */
function limitBlocks(
  state: State,
  weights: readonly Weight[],
  priority: number,
  pool: string,
  order: Order,
  now: Now,
): Block[] {
  const { starts, standing } = state;
  const { wallMs } = now;
  const blocks: Block[] = [];
  for (const [name, wanted] of weights) {
    const used = state.ledger.used(name);
    const limit = state.limits.get(name);
    const kept = standing.kept.get(name);
    const reason = limit
      ? limitRefusal({ limit, used, wanted, priority, order, kept, starts, wallMs })
      : absentReason(name, pool);
    if (reason) blocks.push({ reason, key: name, limit: name, pool, wanted, used, capacity: limit?.capacity ?? 0 });
  }
  return blocks;
}

/** A tenant, and a pool's CPU and memory, are counted without a bound while nobody set one. Any other limit has to exist. */
function absentReason(name: string, pool: string): RefusalReason | undefined {
  if (name.startsWith("tenant:")) return undefined;
  if (pool !== "" && (name === limitNames.cpu(pool) || name === limitNames.memory(pool))) return undefined;
  return "LIMIT_TOO_SMALL";
}

/** Where the limits refuse already: whether something is in the way that no waiting for them would cure. Remembered until the fleet changes. */
function hopeless(state: State, demand: Demand, option: DemandPool, now: Now): Block | undefined {
  const { fleet } = state.standing;
  const { pool } = option;
  if (option.hope.fleet !== fleet) {
    const found = findPlace(state, demand, pool, now);
    const reason = "key" in found && isHopeless(found.reason) ? found.reason : undefined;
    option.hope = { fleet, reason };
  }
  const { reason } = option.hope;
  return reason && { reason, key: poolKey(pool), limit: "", pool, wanted: 1, used: 0, capacity: 0 };
}

function isHopeless(reason: RefusalReason): reason is NonNullable<DemandPool["hope"]["reason"]> {
  return reason === "NO_RUNNER" || reason === "NO_HANDLER" || reason === "POOL_PAUSED";
}

function findPlace(state: State, demand: Demand, pool: string, now: Now): Omit<Placement, "weights"> | Block {
  const block = (reason: RefusalReason, used = 0, capacity = 0): Block => ({
    reason,
    key: poolKey(pool),
    limit: "",
    pool,
    wanted: 1,
    used,
    capacity,
  });
  if (pool !== "" && state.pools.get(pool)?.paused) return block("POOL_PAUSED");
  const pick = pickRunner(state, pool, demand, now);
  if (!("session" in pick)) return block(pick.reason, pick.used, pick.capacity);
  const slot = freeSlot(state, pool, pick.session);
  if (slot === undefined) {
    const slots = state.pools.get(pool)?.slots.length ?? 0;
    return block("NO_SLOT", slots, slots);
  }
  return { pool, session: pick.session, slot };
}

/** The refusals of a bid, for people: with the oldest holders of each limit, and with the handlers that there are where its own isn't. */
export function refusalsOf(state: State, demand: Demand, blocks: readonly Block[], now: Now): Refusal[] {
  return blocks.map(({ reason, limit, pool, wanted, used, capacity }) => ({
    reason,
    limit,
    pool,
    wanted,
    used,
    capacity,
    holders: limit === "" ? [] : holdersOf(state, limit, holdersShown),
    handler: reason === "NO_HANDLER" ? demand.handler : "",
    attached: reason === "NO_HANDLER" ? handlersAt(state, pool, demand, now) : [],
  }));
}

/** The oldest holders of a limit. */
export function holdersOf(state: State, limit: string, max: number): Holder[] {
  const holders: Holder[] = [];
  for (const [id, weight] of state.ledger.use(limit)?.holders ?? []) {
    if (holders.length >= max) break;
    const lease = state.ledger.leases.get(id)?.lease;
    if (lease) holders.push({ lease: id, task: lease.task, runner: lease.runner, weight, grantMs: lease.grantMs });
  }
  return holders;
}
