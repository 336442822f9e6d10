import { type Change, type LeaseEventKind, positionsPerGroup } from "../domain/changes.js";
import type { Lease } from "../domain/lease.js";
import type { PoolStore } from "./ports.js";

/** A change in the life of a lease, at its position in the journal. */
export interface LeaseEvent {
  readonly position: number;
  readonly kind: LeaseEventKind;
  readonly lease: Lease;
  readonly wallMs: number;
}

/** Some events, and where to go on. */
export interface LeaseEventPage {
  readonly events: readonly LeaseEvent[];
  readonly nextPosition: number;
  readonly firstPosition: number;
  readonly more: boolean;
}

/** Commits that are read from the journal at a time. */
const groupsPerRead = 50;

/** The lease events of one commit. */
export function eventsOf(commit: {
  readonly n: number;
  readonly wallMs: number;
  readonly changes: readonly Change[];
}): LeaseEvent[] {
  const events: LeaseEvent[] = [];
  for (const change of commit.changes) {
    if (change.k === "lease")
      events.push({
        position: commit.n * positionsPerGroup + events.length,
        kind: change.e,
        lease: change.l,
        wallMs: commit.wallMs,
      });
  }
  return events;
}

/** Reads events after a position from the journal, oldest first; `end` is where an empty answer leads to. */
export async function readEvents(
  store: PoolStore,
  afterPosition: number,
  max: number,
  end: number,
): Promise<LeaseEventPage> {
  const afterN = Math.floor(afterPosition / positionsPerGroup);
  const { groups, firstN, more } = await store.journalAfter(afterN - 1, groupsPerRead);
  const all = groups.flatMap(eventsOf).filter((event) => event.position > afterPosition);
  const events = all.slice(0, max);
  const cut = all.length > events.length;
  const lastN = groups.at(-1)?.n;
  const reached =
    more && lastN !== undefined ? lastN * positionsPerGroup + positionsPerGroup - 1 : Math.max(end, afterPosition);
  const last = events.at(-1)?.position;
  // Past the last event of a whole page lie only commits without any, so the reader needn't look at them again.
  return {
    events,
    nextPosition: cut && last !== undefined ? last : more ? reached : (last ?? reached),
    firstPosition: firstN * positionsPerGroup,
    more: cut || more,
  };
}
