import type { z } from "zod";
import { type Bus, type BusSettings, openBus } from "../bus/index.js";
import { type Clock, systemClock } from "../clock/index.js";
import { ConfigError, type Door, describeConfig, loadConfig, openDoor } from "../config/index.js";
import { type Component, componentOf, type Fail, runProcess } from "../lifecycle/index.js";
import { createLogger, type Logger } from "../log/index.js";
import { lockFolder } from "../sqlite/lock.js";
import { startTelemetry, type Telemetry } from "../telemetry/index.js";
import { visible } from "../visible/index.js";
import { BadCommandLine, helpText, readCommandLine } from "./flags.js";

/** What running a service needs of its settings; the rest is the service's own. */
export interface ServiceSettings extends Partial<BusSettings>, Door {
  readonly logLevel: string;
  /** Locked against a second process, unless there is a `database`. */
  readonly dataFolder?: string;
  readonly database?: unknown;
}

/** What a service is given to be made of. */
export interface ServiceParts<Config> {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly bus: Bus;
  /** Ends the process. */
  readonly onFailed: Fail;
}

/** A service as a program. */
export interface ServiceProgram<Schema extends z.ZodObject> {
  /** Its name, such as `registry`; `berth-registry` in traces. */
  readonly name: string;
  /** What it does, in a line, for `--help`. */
  readonly about: string;
  readonly schema: Schema;
  readonly create: (parts: ServiceParts<z.output<Schema>>) => Component;
}

/**
 * Runs a service as a process until a signal ends it: settings from flags, `BERTH_*` and the file that `--config` or `BERTH_CONFIG` names; log
 * to standard output; tracing by `OTEL_*`; the bus; the lock of the data folder where nothing else keeps two processes apart. Exits with 2
 * if the settings are wrong, or would let everybody in ({@link openDoor}). Never returns.
 */
export async function runService<Schema extends z.ZodObject>(program: ServiceProgram<Schema>): Promise<never> {
  const { name, create } = program;
  const config = configured(program) as z.output<Schema> & ServiceSettings;
  const logger = createLogger({ service: name, level: config.logLevel });
  logger.info(`settings:\n${describeConfig(config)}`);
  const clock = systemClock;
  const telemetry = await startTelemetry({ service: `berth-${name}`, environment: process.env, logger });
  const { bus: servers, busPrefix = "berth", busDrop = 0, dataFolder, database } = config;
  const bus = await openBus(
    { bus: servers, busPrefix, busDrop },
    { clock, logger, telemetry, name: `berth ${name} ${process.pid}` },
  );
  return runProcess({
    name,
    logger,
    components: (onFailed) => [
      componentOf({ stop: () => telemetry.stop() }),
      componentOf({ stop: () => bus.close() }),
      ...(dataFolder === undefined || database !== undefined ? [] : [lockOf(dataFolder)]),
      create({ config, clock, logger, telemetry, bus, onFailed }),
    ],
  });
}

function configured<Schema extends z.ZodObject>({
  name,
  about,
  schema,
}: ServiceProgram<Schema>): Readonly<z.output<Schema>> {
  try {
    const { flags, config, help } = readCommandLine(process.argv.slice(2), schema);
    if (help) {
      process.stdout.write(helpText(name, about, schema));
      process.exit(0);
    }
    const file = config ?? (process.env.BERTH_CONFIG || undefined);
    const from = { environment: process.env, flags, ...(file === undefined ? {} : { file }) };
    const settings = loadConfig({ schema, allow: ["BERTH_CONFIG"], ...from });
    const problem = openDoor(settings as Door);
    if (problem === undefined) return settings;
    process.stderr.write(visible(`${name}: ${problem}\n`));
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof BadCommandLine)) throw error;
    process.stderr.write(
      visible(`${name}: ${error.message}
`),
    );
  }
  process.exit(2);
}

function lockOf(folder: string): Component {
  let release = (): void => undefined;
  return componentOf({
    start: () => {
      const lock = lockFolder(folder);
      release = () => lock.release();
    },
    stop: () => release(),
  });
}
