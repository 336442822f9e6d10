import type { Bus } from "@berth/chassis/bus";
import type { Logger } from "@berth/chassis/log";
import { subjects } from "@berth/contracts";
import type { LeaseFollower } from "../engine/follower.js";

/**
 * Lets messages about leases, and what says that some were missed, wake the follower. Nothing rests on them, so nothing waits for the bus
 * either. `stop` ends it.
 */
export function subscribeLeaseHints(bus: Bus, follower: LeaseFollower, logger: Logger): { stop(): Promise<void> } {
  const ended = bus.onGap?.(() => follower.hint());
  const subscribing = bus.subscribe(subjects.lease, "registry", async () => follower.hint());
  subscribing.catch((error: unknown) => logger.warn({ err: error }, "lease events aren't heard on the bus"));
  return {
    stop: async () => {
      ended?.();
      await (await subscribing.catch(() => undefined))?.stop();
    },
  };
}
