import type { Change } from "../domain/changes.js";
import type { Lease } from "../domain/lease.js";

/** The occupying leases: live rows with the lease changes of the journal on top. */
export function replayOccupying(live: Iterable<Lease>, groups: Iterable<readonly Change[]>): Lease[] {
  const leases = new Map<string, Lease>();
  for (const lease of live) leases.set(lease.id, lease);
  for (const changes of groups) {
    for (const change of changes) {
      if (change.k !== "lease") continue;
      if (change.l.state === "RELEASED") leases.delete(change.l.id);
      else leases.set(change.l.id, change.l);
    }
  }
  return [...leases.values()];
}
