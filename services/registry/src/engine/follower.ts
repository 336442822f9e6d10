import { BackOff, type Clock, type Timer } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";
import type { LeaseEventBatch, PoolsPort } from "./pools.js";
import type { Registry } from "./registry.js";
import type { FinishTracer } from "./tracing.js";

/** Settings of the followers. */
export interface FollowerOptions {
  readonly registry: Registry;
  readonly pools: PoolsPort;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Settings of the follower of lease events. */
export interface LeaseFollowerOptions extends FollowerOptions {
  readonly tracer: FinishTracer;
}

const again = { firstMs: 100, mostMs: 2_000 };
/** A stream that held for longer than this had worked. */
const workedMs = 10_000;
/**
 * Time that an acknowledgement waits for the batches that come meanwhile. It only lets the journal be pruned, once a minute; one for
 * every batch was a third of the pool-manager's commits.
 */
const acknowledgeAfterMs = 1_000;

/** Follows the journal of lease events from the cursor, for ever; acknowledges some time after the commit. */
export class LeaseFollower {
  private readonly options: LeaseFollowerOptions;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private waiting = new AbortController();
  private acknowledged = 0;
  private acknowledging: Timer | undefined;
  /** True while the pool-manager tells us. */
  up = false;
  /** Wall clock of the last moment when nothing was behind; 0 before the first. */
  caughtUpMs = 0;

  constructor(options: LeaseFollowerOptions) {
    this.options = options;
  }

  /** Begins to follow. */
  start(): void {
    const { clock, logger } = this.options;
    this.running ??= forEver(
      clock,
      logger,
      this.stopping.signal,
      "lease events",
      () => this.follow(),
      () => {
        this.waiting = new AbortController();
        return this.waiting.signal;
      },
    );
  }

  /** Ends; waits for the commit in flight. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.acknowledging?.cancel();
    await this.running;
  }

  /**
   * Says that there are new events. Only a wake-up: positions have gaps of their own, so a message of the bus can't show whether one before it was
   * lost; the stream, which can, is connected at once if it was waiting to connect again.
   */
  hint(): void {
    this.waiting.abort();
  }

  private async follow(): Promise<void> {
    const { registry, pools, logger } = this.options;
    try {
      for await (const batch of pools.watchLeaseEvents(registry.core.memory.cursor, this.stopping.signal)) {
        if (!this.up) {
          this.up = true;
          logger.info({ cursor: registry.core.memory.cursor }, "following the lease events of the pool-manager");
          await this.compareIfCut(batch);
        }
        await this.take(batch);
      }
    } finally {
      if (this.up && !this.stopping.signal.aborted)
        logger.warn("the pool-manager is away; results wait there, and tasks can't be started or stopped meanwhile");
      this.up = false;
    }
  }

  private async take({ events, nextPosition }: LeaseEventBatch): Promise<void> {
    const { registry, clock, tracer } = this.options;
    const { cursor } = registry.core.memory;
    const after = Math.max(nextPosition, events.at(-1)?.position ?? 0);
    if (after > cursor) await tracer.around(events, () => registry.leaseEvents(events, after));
    this.caughtUpMs = clock.wallMs();
    if (after > this.acknowledged && !this.stopping.signal.aborted)
      this.acknowledging ??= clock.setTimer(acknowledgeAfterMs, () => void this.acknowledge(), { unref: true });
  }

  /** One that fails is made up for by that of the next batch. */
  private async acknowledge(): Promise<void> {
    const { registry, pools, logger } = this.options;
    this.acknowledging = undefined;
    const { cursor } = registry.core.memory;
    try {
      await pools.acknowledge(cursor);
      this.acknowledged = Math.max(this.acknowledged, cursor);
    } catch (error) {
      logger.debug({ err: error, cursor }, "lease events couldn't be acknowledged; they stay in the journal for now");
    }
  }

  /** The journal is kept until this registry acknowledges it. Where it is shorter all the same, it was lost: the leases themselves are asked. */
  private async compareIfCut({ firstPosition }: LeaseEventBatch): Promise<void> {
    const { registry, pools, logger } = this.options;
    const { cursor, tasks } = registry.core.memory;
    if (firstPosition <= cursor + 1) return;
    const open = [...tasks.values()].filter(({ status }) =>
      ["READY", "ASSIGNED", "RUNNING", "CANCELLING"].includes(status.state),
    );
    if (open.length === 0) return;
    logger.warn(
      { cursor, firstPosition, tasks: open.length },
      "the journal of lease events begins behind the cursor; comparing live tasks with the leases",
    );
    for (const { header, status } of open) {
      const leases = (await pools.leasesOf(header.key)).filter(({ attempt }) => attempt === status.attempt);
      // These are states, not entries of the journal: they are behind every cursor, and move none.
      if (leases.length > 0)
        await registry.leaseEvents(
          leases.map((event) => ({ ...event, position: Number.MAX_SAFE_INTEGER })),
          cursor,
        );
    }
  }
}

/** Keeps the catalogue of pools and limits up to date. */
export class CatalogueFollower {
  private readonly options: FollowerOptions;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(options: FollowerOptions) {
    this.options = options;
  }

  start(): void {
    const { clock, logger } = this.options;
    this.running ??= forEver(clock, logger, this.stopping.signal, "pools and limits", async () => {
      const { registry, pools } = this.options;
      for await (const catalogue of pools.watchCatalogue(this.stopping.signal)) {
        if (registry.core.memory.catalogue?.catalogue.version === catalogue.version) continue;
        await registry.command({ kind: "catalogue", catalogue });
      }
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }
}

/** Does something again and again, with growing waits while it fails. */
async function forEver(
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
  what: string,
  follow: () => Promise<void>,
  wakeUp?: () => AbortSignal,
): Promise<void> {
  const backOff = new BackOff(clock, again);
  while (!signal.aborted) {
    const beganMs = clock.monoMs();
    try {
      await follow();
    } catch (error) {
      if (signal.aborted) return;
      logger.debug({ err: error }, `the stream of ${what} broke; connecting again`);
    }
    if (clock.monoMs() - beganMs > workedMs) backOff.reset();
    const woken = wakeUp?.();
    await backOff.wait(woken ? AbortSignal.any([signal, woken]) : signal);
  }
}
