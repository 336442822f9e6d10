import type { Bus } from "@berth/chassis/bus";
import type { Logger } from "@berth/chassis/log";
import { type Subject, subjects } from "@berth/contracts";
import type { LeaseFollower } from "../engine/follower.js";

/** That something was broadcast about leases. What it says is read from the journal, so nobody needs to decode it here. */
const leaseHint: Subject<true> = { name: subjects.lease.name, encode: () => new Uint8Array(), decode: () => true };

/**
 * Lets messages about leases, and what says that some were missed, wake the follower. Nothing rests on them, so nothing waits for the bus
 * either. `stop` ends it.
 */
export function subscribeLeaseHints(bus: Bus, follower: LeaseFollower, logger: Logger): { stop(): Promise<void> } {
  const ended = bus.onGap?.(() => follower.hint());
  const subscribing = bus.subscribe(leaseHint, "registry", async () => follower.hint());
  subscribing.catch((error: unknown) => logger.warn({ err: error }, "lease events can't be received from the bus"));
  return {
    stop: async () => {
      ended?.();
      await (await subscribing.catch(() => undefined))?.stop();
    },
  };
}
