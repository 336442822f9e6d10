import type { Clock, Timer } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";
import { limitName, limitWork, ownerOf } from "../domain/set-limits.js";
import type { PoolsPort } from "./pools.js";
import type { Registry } from "./registry.js";

/** What makes and deletes the limits of sets is made of. */
export interface LimitMakerOptions {
  readonly registry: Registry;
  readonly pools: Pick<PoolsPort, "makeLimit" | "dropLimit">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Time until the same is asked again, where the catalogue doesn't show it done. */
const againMs = 1_000;

/**
 * Has the limits of sets made and deleted at the pool-manager. Nothing of it is remembered: what is to be done follows from the
 * live sets and the catalogue, which the pool-manager sends after every change. What was lost, late or undone is asked again.
 */
export class LimitMaker {
  private readonly options: LimitMakerOptions;
  /** When each limit was asked for last, monotonic. */
  private readonly askedAtMs = new Map<string, number>();
  private running: Promise<void> | undefined;
  private stopped = false;
  /** True if something was committed since the look that is under way began. */
  private changed = false;
  private wake: (() => void) | undefined;

  constructor(options: LimitMakerOptions) {
    this.options = options;
  }

  /** Begins. */
  start(): void {
    this.options.registry.onCommit(() => {
      this.changed = true;
      this.wake?.();
    });
    this.running ??= this.run();
  }

  /** Ends. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.wake?.();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.changed = false;
      const open = await this.round();
      if (this.changed || this.stopped) continue;
      let timer: Timer | undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        if (open) timer = this.options.clock.setTimer(againMs, resolve);
      });
      this.wake = undefined;
      timer?.cancel();
    }
  }

  /** Asks for everything that is open; true if there was anything. One after the other, so that the last word is the last heard. */
  private async round(): Promise<boolean> {
    const { registry, pools } = this.options;
    const { make, drop } = limitWork(registry.core.memory);
    const open = new Set([...make.map(({ set, limit }) => limitName(set, limit.name)), ...drop]);
    for (const name of this.askedAtMs.keys()) if (!open.has(name)) this.askedAtMs.delete(name);
    for (const { set, limit } of make)
      await this.ask(limitName(set, limit.name), () => pools.makeLimit(set, limit), "made");
    for (const name of drop) await this.ask(name, () => pools.dropLimit(ownerOf(name) ?? "", name), "deleted");
    return open.size > 0;
  }

  private async ask(name: string, call: () => Promise<void>, done: string): Promise<void> {
    const { clock, logger } = this.options;
    const before = this.askedAtMs.get(name);
    if (this.stopped || (before !== undefined && clock.monoMs() - before < againMs)) return;
    try {
      await call();
    } catch (error) {
      logger.warn({ err: error, limit: name }, `a limit of a set can't be ${done} yet; asking again`);
    }
    // From the answer on: the pool-manager's catalogue has had no time to come before it.
    this.askedAtMs.set(name, clock.monoMs());
  }
}
