import { type BusSettings, busSettingsSchema, openBus } from "@berth/chassis/bus";
import { systemClock } from "@berth/chassis/clock";
import { checkValue } from "@berth/chassis/config";
import { createLogger } from "@berth/chassis/log";
import { startTelemetry } from "@berth/chassis/telemetry";
import { createRunner } from "@berth/runner";
import { pairFlags, wholeNumber } from "../arguments.js";
import { withClient } from "../connection.js";
import { UsageError } from "../errors.js";
import { hint } from "../hints.js";
import { type Io, printJson, say } from "../io.js";
import type { GlobalOptions } from "../places.js";

/** Flags of `berth runner`. */
export interface RunnerOptions extends GlobalOptions {
  readonly pool: string[];
  readonly capacity: string;
  readonly label: string[];
  readonly id?: string;
  readonly folder: string;
  readonly secrets?: string;
  readonly bus?: string;
  readonly busPrefix?: string;
}

/** Flags over variables, of the names that the services have. */
function busOf({ bus, busPrefix }: RunnerOptions, environment: NodeJS.ProcessEnv): BusSettings {
  const drop = environment.BERTH_BUS_DROP;
  const given = {
    bus: bus ?? (environment.BERTH_BUS || undefined),
    busPrefix: busPrefix ?? (environment.BERTH_BUS_PREFIX || undefined),
    busDrop: drop ? Number(drop) : undefined,
  };
  return checkValue(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    busSettingsSchema,
    "flags and environment",
  );
}

/** `berth runner`: takes work until Ctrl-C, then finishes what it holds; a second Ctrl-C stops that too. */
export function runner(options: RunnerOptions, io: Io): Promise<number> {
  if (options.pool.length === 0)
    throw new UsageError(`--pool is missing: whose work should it take? Such as: ${hint(io, "runner --pool default")}`);
  const capacity = wholeNumber("--capacity", options.capacity, 1, 10_000);
  const labels = pairFlags("--label", options.label);
  const bus = busOf(options, io.environment);
  return withClient(options, io, async (client) => {
    const logger = createLogger({ service: "runner", level: "warn" });
    const telemetry = await startTelemetry({ service: "berth-runner", environment: io.environment, logger });
    const broadcast = await openBus(bus, {
      clock: systemClock,
      logger,
      telemetry,
      name: `berth runner ${process.pid}`,
    });
    const runner = createRunner({
      client,
      bus: broadcast,
      dataFolder: options.folder,
      pools: options.pool,
      capacity,
      labels,
      logger,
      telemetry,
      ...(options.id === undefined ? {} : { id: options.id }),
      ...(options.secrets === undefined ? {} : { secretsFolder: options.secrets }),
    });
    await runner.start();
    if (options.json === true)
      printJson(io, { runner: runner.id, pools: options.pool, capacity, pid: process.pid }, { oneLine: true });
    else
      say(
        io,
        `runner ${runner.id} takes up to ${capacity} tasks of ${options.pool.join(", ")}; Ctrl-C lets them finish and leaves`,
      );
    await new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
    });
    const hurry = () => void runner.stop();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, hurry);
    io.writeError("finishing what runs; Ctrl-C again stops it\n");
    await runner.drain();
    await runner.stop();
    await broadcast.close();
    await telemetry.stop();
    return 0;
  });
}
