import { type Clock, delay, type Timer } from "@berth/chassis/clock";
import type { Logger } from "@berth/chassis/log";
import { tickTasksMax } from "../domain/tick.js";
import type { PoolsPort } from "./pools.js";
import type { Registry } from "./registry.js";

/** Settings of what works off the durable to-dos. */
export interface TodoOptions {
  readonly registry: Registry;
  readonly pools: Pick<PoolsPort, "forbid">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Attempts in one question to the pool-manager. */
const forbidMax = 500;
/** Wait before the pool-manager is asked again. */
const forbidAgainMs = 1_000;
/** Longest time between two looks at what is due: the wall clock may jump. */
const lookMsMax = 1_000;

/**
 * Forbids attempts at the pool-manager. The to-do is no list of its own: it follows from the states, survives a restart with them, and is
 * worked on until the pool-manager has answered.
 */
export class Forbidder {
  private readonly options: TodoOptions;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  private againAtMs = 0;

  constructor(options: TodoOptions) {
    this.options = options;
  }

  /** Begins. */
  start(): void {
    this.options.registry.onCommit(() => this.wake?.());
    this.running ??= this.run();
  }

  /** Ends. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake?.();
    await this.running;
  }

  private async run(): Promise<void> {
    const { registry, clock, logger } = this.options;
    const { forbids } = registry.core.memory;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      if (forbids.size === 0) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
        continue;
      }
      try {
        const fresh = await this.forbidSome();
        // What was answered "released" once is asked again when its event has had time to arrive.
        if (!fresh && forbids.size > 0) await this.pause();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn(
          { err: error, waiting: forbids.size },
          "the pool-manager can't be asked to forbid attempts; asking again",
        );
        await delay(clock, forbidAgainMs, signal);
      }
    }
  }

  /** Waits until it is time to ask again, or something changed. */
  private async pause(): Promise<void> {
    const woken = new AbortController();
    this.wake = () => woken.abort();
    await delay(this.options.clock, forbidAgainMs, AbortSignal.any([this.stopping.signal, woken.signal]));
    this.wake = undefined;
  }

  /** Returns false if only attempts that were answered before are left. */
  private async forbidSome(): Promise<boolean> {
    const { registry, pools, clock } = this.options;
    const { forbids, tasks } = registry.core.memory;
    const open = [...forbids].flatMap((key) => {
      const status = tasks.get(key)?.status;
      return status?.forbid
        ? [{ key, attempt: status.attempt, text: status.forbid.text, asked: status.forbid.answer !== "none" }]
        : [];
    });
    const fresh = open.filter(({ asked }) => !asked);
    // A commit woke this loop early: what was answered before isn't asked again until its time.
    if (fresh.length === 0 && clock.monoMs() < this.againAtMs) return false;
    this.againAtMs = clock.monoMs() + forbidAgainMs;
    const chosen = (fresh.length > 0 ? fresh : open).slice(0, forbidMax);
    // Reasons differ from task to task; the call has one. Those with the first one's reason go together.
    const text = chosen[0]?.text ?? "";
    const together = chosen.filter((one) => one.text === text);
    if (together.length > 0) await registry.forbidden(await pools.forbid(together, text));
    return fresh.length > together.length;
  }
}

/** Does what is due by the wall clock. */
export class Ticker {
  private readonly options: Pick<TodoOptions, "registry" | "clock" | "logger">;
  private timer: Timer | undefined;
  private armedForMs = Number.POSITIVE_INFINITY;
  private stopped = false;
  private ticking: Promise<void> = Promise.resolve();

  constructor(options: Pick<TodoOptions, "registry" | "clock" | "logger">) {
    this.options = options;
  }

  /** Begins. */
  start(): void {
    this.options.registry.onCommit(() => this.arm());
    this.arm();
  }

  /** Ends. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.ticking;
  }

  private arm(): void {
    const { registry, clock } = this.options;
    const dueMs = registry.core.memory.due.nextMs;
    if (this.stopped || dueMs === undefined || dueMs >= this.armedForMs) return;
    this.timer?.cancel();
    this.armedForMs = dueMs;
    const waitMs = Math.min(lookMsMax, Math.max(0, dueMs - clock.wallMs()));
    this.timer = clock.setTimer(waitMs, () => {
      this.armedForMs = Number.POSITIVE_INFINITY;
      this.ticking = this.tick();
    });
  }

  private async tick(): Promise<void> {
    const { registry, clock, logger } = this.options;
    try {
      for (
        let due = registry.core.memory.due.nextMs;
        due !== undefined && due <= clock.wallMs() && !this.stopped;
        due = registry.core.memory.due.nextMs
      ) {
        const outcome = await registry.command({ kind: "tick" });
        if (outcome.kind !== "counted" || outcome.changed < tickTasksMax) break;
      }
    } catch (error) {
      logger.debug({ err: error }, "what is due couldn't be done and waits");
      if (!this.stopped) this.timer = clock.setTimer(lookMsMax, () => this.arm());
      return;
    }
    this.arm();
  }
}
