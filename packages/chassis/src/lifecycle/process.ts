import { type Clock, delay, systemClock } from "../clock/index.js";
import type { Logger } from "../log/index.js";
import { type Component, Lifecycle } from "./lifecycle.js";

/** Ends the process with exit code 1 after logging the error. For a component whose understanding is broken. */
export type Fail = (error: Error) => void;

/** What `runProcess` needs of the process around it; tests give their own. */
export interface ProcessHost {
  /** Calls back on a signal or on an error that nobody caught. */
  on(event: string, listener: (value: unknown) => void): unknown;
  /** Ends the process. */
  exit(code: number): void;
}

/** What to run. */
export interface ProcessOptions {
  /** Name for the log. */
  readonly name: string;
  readonly logger: Logger;
  /** In the order in which they start. A function receives `fail`, for components that may have to end the process. */
  readonly components: readonly Component[] | ((fail: Fail) => readonly Component[]);
  /** Milliseconds for draining and stopping together; then the process exits with 1. Default: 300,000. */
  readonly graceMs?: number;
  readonly clock?: Clock;
  readonly host?: ProcessHost;
}

/**
 * Runs components as a process, until a signal ends it. Never returns.
 *
 * SIGTERM or SIGINT drains, stops and exits with 0 (1 if stopping failed or took longer than `graceMs`). A second signal exits
 * with 130 at once. A component that can't start, an error that nobody caught, and `fail` exit with 1 at once: a fresh process that
 * loads what was committed is worth more than a doubtful one that tidies up.
 */
export function runProcess(options: ProcessOptions): Promise<never> {
  const host = options.host ?? process;
  const { logger, name } = options;
  const clock = options.clock ?? systemClock;
  const graceMs = options.graceMs ?? 300_000;

  let ended = false;
  const exit = (code: number): void => {
    if (ended) return;
    ended = true;
    host.exit(code);
  };
  const fail = (error: unknown): void => {
    if (ended) return;
    logger.fatal({ error }, `${name} has failed and exits`);
    exit(1);
  };

  const { components } = options;
  const lifecycle = new Lifecycle(typeof components === "function" ? components(fail) : components);

  const end = async (): Promise<void> => {
    const grace = new AbortController();
    const tooLong = delay(clock, graceMs, grace.signal).then(() => "too long" as const);
    const outcome = await Promise.race([drainAndStop(lifecycle, logger), tooLong]);
    grace.abort();
    if (outcome === "too long") logger.error(`${name} didn't stop within ${graceMs} ms and exits`);
    else logger.info(`${name} has stopped`);
    exit(outcome === "stopped" ? 0 : 1);
  };

  let signals = 0;
  const onSignal = (signal: string): void => {
    signals += 1;
    if (signals > 1) return exit(130);
    logger.info({ signal }, `${name} stops; a second signal ends it at once`);
    void end();
  };

  host.on("SIGTERM", () => onSignal("SIGTERM"));
  host.on("SIGINT", () => onSignal("SIGINT"));
  host.on("uncaughtException", fail);
  host.on("unhandledRejection", fail);

  lifecycle.start().then(
    () => logger.info(`${name} has started`),
    (error: unknown) => {
      if (signals === 0) fail(error);
    },
  );
  return new Promise<never>(() => undefined);
}

async function drainAndStop(lifecycle: Lifecycle, logger: Logger): Promise<"stopped" | "failed"> {
  try {
    await lifecycle.drain();
  } catch (error) {
    logger.error({ error }, "draining failed; stopping anyway");
  }
  try {
    await lifecycle.stop();
    return "stopped";
  } catch (error) {
    logger.error({ error }, "stopping failed");
    return "failed";
  }
}
