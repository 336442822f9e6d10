import type { Bus, Subscription } from "@berth/chassis/bus";
import { FieldCheck } from "@berth/chassis/grpc";
import type { Logger } from "@berth/chassis/log";
import { subjects } from "@berth/contracts";
import { eventToWire } from "../api/convert.js";
import { completionsOf } from "../api/lease-api.js";
import type { Proofs } from "../api/proofs.js";
import { eventsOf } from "../engine/lease-events.js";
import type { PoolEngine } from "../engine/service.js";

/** Events in one message. */
const eventsPerMessage = 500;

/** Broadcasts lease events after their commits, and hears of completions. Everything is right without it; it only makes things fast. */
export class PoolBus {
  private readonly engine: PoolEngine;
  private readonly bus: Bus;
  private readonly proofs: Proofs;
  private readonly logger: Logger;
  private subscribing: Promise<Subscription | undefined> | undefined;
  private unlisten: (() => void) | undefined;

  constructor(engine: PoolEngine, bus: Bus, proofs: Proofs, logger: Logger) {
    this.engine = engine;
    this.bus = bus;
    this.proofs = proofs;
    this.logger = logger;
  }

  /** Begins to publish and to listen; waits for nobody. */
  start(): void {
    this.unlisten = this.engine.onCommit((commit) => {
      const events = eventsOf(commit);
      for (let at = 0; at < events.length; at += eventsPerMessage) {
        const batch = events.slice(at, at + eventsPerMessage);
        const message = { events: batch.map(eventToWire) };
        const traceParents = () => batch.map(({ lease }) => lease.traceParent);
        this.bus
          .publish(subjects.lease, message, { id: `pool-manager:${commit.n}:${at}`, traceParents })
          .catch((error: unknown) => {
            this.logger.warn(
              { err: error, n: commit.n },
              "lease events weren't broadcast; readers find them in the journal",
            );
          });
      }
    });
    const heard = this.bus.subscribe(
      subjects.completion,
      "pool-manager",
      async (batches) => {
        await Promise.all(
          batches.map(async ({ runner, completions }) => {
            const check = new FieldCheck();
            const proved = completions.filter((completion) => this.proofs.admits("bus", completion, completion.proof));
            if (proved.length < completions.length)
              this.logger.warn(
                { runner, dropped: completions.length - proved.length },
                "broadcast completions that don't prove their lease's secret were dropped",
              );
            const items = completionsOf(check, proved);
            if (check.violations.length > 0)
              this.logger.warn(
                { runner, violations: check.violations.slice(0, 5) },
                "a broadcast completion is malformed and was dropped; the lease stream brings it again",
              );
            else if (items.length > 0) await this.engine.complete(runner, undefined, items);
          }),
        );
      },
      { traceParents: ({ completions }) => completions.map(({ traceParent }) => traceParent) },
    );
    this.subscribing = heard.catch((error: unknown) => {
      this.logger.warn({ err: error }, "completions can't be received from the bus");
      return undefined;
    });
  }

  /** Ends both. */
  async stop(): Promise<void> {
    this.unlisten?.();
    await (await this.subscribing)?.stop();
  }
}
