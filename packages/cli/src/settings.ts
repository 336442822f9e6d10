// Reads berth.yaml together with the environment and flags.
import { dirname, resolve } from "node:path";
import { loadConfig } from "@berth/chassis/config";
import type { BerthConfig } from "@berth/standalone/config";

// BERTH_ variables that aren't settings: the CLI's own, and what a runner gives its runs (a `berth up` may be a run).
const notSettings = [
  "BERTH_API_TOKEN",
  "BERTH_CONFIG",
  "BERTH_REGISTRY_ADDRESS",
  "BERTH_POOL_MANAGER_ADDRESS",
  "BERTH_SCHEDULER_ADDRESS",
  "BERTH_METRICS_ADDRESS",
  "BERTH_TASK",
  "BERTH_ATTEMPT",
  "BERTH_LEASE",
  "BERTH_TOKEN",
  "BERTH_SLOT",
  "BERTH_POOL",
  "BERTH_RESULT",
  "BERTH_RUNNER_INCARNATION",
];

/**
 * The configuration: flags over environment over file over defaults. A data folder that the file gives is taken from the
 * file's folder, any other from the working directory.
 */
export async function readConfig(options: {
  file?: string;
  environment: NodeJS.ProcessEnv;
  flags?: Record<string, unknown>;
}): Promise<BerthConfig> {
  const { berthSchema } = await import("@berth/standalone/config");
  const { file, environment, flags = {} } = options;
  // BERTH_RUNNER is the runner's id inside a run, and the settings of the local runner nowhere: those are BERTH_RUNNER__....
  const allow = [...notSettings, "BERTH_RUNNER"];
  const config = loadConfig({
    schema: berthSchema,
    environment,
    flags,
    allow,
    ...(file === undefined ? {} : { file }),
  });
  const fromFile = file !== undefined && flags.dataFolder === undefined && !environment.BERTH_DATA_FOLDER;
  const dataFolder = fromFile ? resolve(dirname(file), config.dataFolder) : resolve(config.dataFolder);
  return { ...config, dataFolder };
}
