import { InProcessBus } from "@berth/chassis/bus";
import { systemClock } from "@berth/chassis/clock";
import { ConfigError, describeConfig, loadConfig } from "@berth/chassis/config";
import { type Component, runProcess } from "@berth/chassis/lifecycle";
import { createLogger } from "@berth/chassis/log";
import { type FolderLock, lockFolder } from "@berth/chassis/sqlite";
import { startTelemetry } from "@berth/chassis/telemetry";
import { type RegistryConfig, registryConfigSchema } from "./config.js";
import { createRegistry } from "./service.js";

// Runs the registry as a process. Settings come from BERTH_* variables and from the YAML file that BERTH_REGISTRY_FILE names.
const name = "registry";
const logger = createLogger({ service: name, level: process.env.BERTH_LOG_LEVEL ?? "info" });

function configured(): RegistryConfig {
  try {
    const file = process.env.BERTH_REGISTRY_FILE;
    const allow = ["BERTH_REGISTRY_FILE"];
    return loadConfig({
      schema: registryConfigSchema,
      environment: process.env,
      allow,
      ...(file === undefined ? {} : { file }),
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

function lockOf(folder: string): Component {
  let lock: FolderLock | undefined;
  return {
    async start() {
      lock = lockFolder(folder);
    },
    async stop() {
      lock?.release();
    },
  };
}

const config = configured();
logger.info(`settings:\n${describeConfig(config)}`);
const telemetry = await startTelemetry({ service: `berth-${name}`, environment: process.env, logger });
const tracing: Component = { start: async () => {}, stop: () => telemetry.stop() };
// Without a bus between processes the stream of lease events carries everything.
const bus = new InProcessBus({ clock: systemClock, logger, telemetry });
const components = (onFailed: (error: Error) => void): Component[] => [
  tracing,
  // With a database the folder holds nothing, and a standby may wait beside the leader.
  ...(config.database ? [] : [lockOf(config.dataFolder)]),
  createRegistry({ config, clock: systemClock, logger, telemetry, bus, onFailed }),
];
await runProcess({ name, logger, components });
