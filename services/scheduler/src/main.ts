import { systemClock } from "@berth/chassis/clock";
import { ConfigError, describeConfig, loadConfig } from "@berth/chassis/config";
import { runProcess } from "@berth/chassis/lifecycle";
import { createLogger } from "@berth/chassis/log";
import { startTelemetry } from "@berth/chassis/telemetry";
import { type SchedulerConfig, schedulerConfigSchema } from "./config.js";
import { createScheduler } from "./service.js";

// Runs the scheduler as a process. Settings come from BERTH_* variables and from the YAML file that BERTH_SCHEDULER_FILE names.
const name = "scheduler";

function configured(): SchedulerConfig {
  try {
    const file = process.env.BERTH_SCHEDULER_FILE;
    const allow = ["BERTH_SCHEDULER_FILE"];
    return loadConfig({
      schema: schedulerConfigSchema,
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

const config = configured();
const logger = createLogger({ service: name, level: config.logLevel });
logger.info(`settings:\n${describeConfig(config)}`);
const telemetry = await startTelemetry({ service: `berth-${name}`, environment: process.env, logger });
const tracing = { start: async () => {}, stop: () => telemetry.stop() };
await runProcess({
  name,
  logger,
  components: [tracing, createScheduler({ config, clock: systemClock, logger, telemetry })],
});
