import type { Bus, Subscription } from "@berth/chassis/bus";
import { subjects } from "@berth/contracts";
import type { LeaseFollower } from "../engine/follower.js";

/** Lets messages about leases wake the follower. Nothing rests on them. */
export function subscribeLeaseHints(bus: Bus, follower: LeaseFollower): Promise<Subscription> {
  return bus.subscribe(subjects.lease, "registry", async () => follower.hint());
}
