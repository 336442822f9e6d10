import { systemClock } from "@berth/chassis/clock";
import { ConfigError, describeConfig, loadConfig } from "@berth/chassis/config";
import { type Component, runProcess } from "@berth/chassis/lifecycle";
import { createLogger } from "@berth/chassis/log";
import { type FolderLock, lockFolder } from "@berth/chassis/sqlite";
import { startTelemetry } from "@berth/chassis/telemetry";
import { type MetricsConfig, metricsConfigSchema } from "./config.js";
import { createMetrics } from "./service.js";

// Runs the metrics service as a process. Settings come from BERTH_* variables and from the YAML file that BERTH_METRICS_FILE names.
const name = "metrics";

function configured(): MetricsConfig {
  try {
    const file = process.env.BERTH_METRICS_FILE;
    const allow = ["BERTH_METRICS_FILE"];
    return loadConfig({
      schema: metricsConfigSchema,
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
const logger = createLogger({ service: name, level: config.logLevel });
logger.info(`settings:\n${describeConfig(config)}`);
const telemetry = await startTelemetry({ service: `berth-${name}`, environment: process.env, logger });
const tracing: Component = { start: async () => {}, stop: () => telemetry.stop() };
const service = createMetrics({ config, clock: systemClock, logger, telemetry });
// With a database the folder holds nothing.
const lock = config.database ? [] : [lockOf(config.dataFolder)];
await runProcess({ name, logger, components: [tracing, ...lock, service] });
