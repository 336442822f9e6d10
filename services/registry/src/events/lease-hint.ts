import type { Bus, Subscription } from "@berth/chassis/bus";
import { type Subject, subjects } from "@berth/contracts";
import type { LeaseFollower } from "../engine/follower.js";

/** That something was broadcast about leases. What it says is read from the journal, so nobody needs to decode it here. */
const leaseHint: Subject<true> = { name: subjects.lease.name, encode: () => new Uint8Array(), decode: () => true };

/** Lets messages about leases wake the follower. Nothing rests on them. */
export function subscribeLeaseHints(bus: Bus, follower: LeaseFollower): Promise<Subscription> {
  return bus.subscribe(leaseHint, "registry", async () => follower.hint());
}
