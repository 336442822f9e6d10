import type { Bus, Subscription } from "@berth/chassis/bus";
import type { Logger } from "@berth/chassis/log";
import { type Subject, subjects } from "@berth/contracts";
import type { LeaseFollower } from "../engine/follower.js";

/** That something was broadcast about leases. What it says is read from the journal, so nobody needs to decode it here. */
const leaseHint: Subject<true> = { name: subjects.lease.name, encode: () => new Uint8Array(), decode: () => true };

/** Lets messages about leases, and what says that some were missed, wake the follower. Nothing rests on them, so nothing waits for the bus either. */
export function leaseHints(
  bus: Bus,
  follower: LeaseFollower,
  logger: Logger,
): { start(): void; stop(): Promise<void> } {
  let ended: (() => void) | undefined;
  let subscribing: Promise<Subscription | undefined> | undefined;
  return {
    start() {
      ended = bus.onGap?.(() => follower.hint());
      subscribing = bus
        .subscribe(leaseHint, "registry", async () => follower.hint())
        .catch((error: unknown) => {
          logger.warn({ err: error }, "lease events aren't heard on the bus");
          return undefined;
        });
    },
    async stop() {
      ended?.();
      await (await subscribing)?.stop();
    },
  };
}
