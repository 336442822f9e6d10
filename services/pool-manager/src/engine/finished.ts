import type { AttemptRef } from "../domain/bid.js";
import type { Known } from "../domain/bids.js";
import { attemptKey, type Lease } from "../domain/lease.js";
import type { Remembered } from "../domain/recent.js";
import type { State } from "../domain/state.js";
import type { PoolStore } from "./ports.js";

/** Items of one command, and of one reading: larger requests are split, so that no group outgrows the positions of its events. */
const itemsPerCommand = 500;

/**
 * Finished leases, from the memory where it has them and from the store otherwise, together with how far the memory reached before the store was
 * looked into: what it has forgotten since makes a decision stale. With `whole` the short form that the memory keeps isn't enough.
 */
export class FinishedLeases {
  private readonly state: State;
  private readonly store: PoolStore;

  constructor(state: State, store: PoolStore) {
    this.state = state;
    this.store = store;
  }

  /** Those of attempts; no more than one part of them, see {@link inParts}. */
  async ofAttempts(refs: readonly AttemptRef[], whole: boolean): Promise<Known> {
    const { ledger, recent } = this.state;
    const mark = recent.sequence;
    const missing: string[] = [];
    const leases: Lease[] = [];
    for (const { task, attempt } of refs) {
      const key = attemptKey(task, attempt);
      if (ledger.byKey.has(key)) continue;
      const short = recent.ofAttempt(key);
      const unwritten = short && recent.unwritten.get(short.id);
      if (unwritten) leases.push(unwritten);
      else if (short && !whole) leases.push(asLease(task, attempt, short));
      else missing.push(key);
    }
    if (missing.length > 0) leases.push(...(await this.store.finishedByKeys(missing)));
    return { leases, mark };
  }

  /** Those of ids. */
  async ofIds(ids: readonly string[], whole: boolean): Promise<Known> {
    const { ledger, recent } = this.state;
    let mark = recent.sequence;
    const missing: string[] = [];
    const leases: Lease[] = [];
    for (const id of ids) {
      if (ledger.leases.has(id)) continue;
      const short = recent.get(id);
      const unwritten = recent.unwritten.get(id);
      if (unwritten) leases.push(unwritten);
      // The memory is relied on: should it forget this one before the decision, that must be seen.
      else if (short && !whole) mark = Math.min(mark, short.sequence - 1);
      else missing.push(id);
    }
    for (const part of inParts(missing)) leases.push(...(await this.store.finishedByIds(part)));
    return { mark, leases };
  }
}

/** Items in parts that fit one command. */
export function* inParts<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += itemsPerCommand) yield items.slice(at, at + itemsPerCommand);
}

/** Enough of a lease to say that its attempt is over. */
function asLease(task: string, attempt: number, { id, token, runner, reason, ordinal }: Remembered): Lease {
  return {
    id,
    task,
    attempt,
    token,
    state: "RELEASED",
    pool: "",
    runner,
    incarnation: "",
    slot: "",
    tenant: "",
    weights: [],
    grantMs: 0,
    reason,
    revokeReason: "",
    traceParent: "",
    overtaken: 0,
    ordinal,
  };
}
