// Where Berth is, as the command line says it.
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** The flags that say where Berth is. */
export interface Places {
  readonly config?: string;
  readonly data?: string;
  readonly registry?: string;
  readonly poolManager?: string;
  readonly scheduler?: string;
  readonly metrics?: string;
  readonly tokenFile?: string;
}

/** The options that every command has. */
export interface GlobalOptions extends Places {
  readonly json?: boolean;
}

/** The berth.yaml and the data folder that the options, the environment or the working directory name. */
export function findPlaces(options: Places, environment: NodeJS.ProcessEnv): { config?: string; dataFolder?: string } {
  const config = options.config ?? environment.BERTH_CONFIG ?? (existsSync("berth.yaml") ? "berth.yaml" : undefined);
  const dataFolder =
    options.data ??
    environment.BERTH_DATA_FOLDER ??
    (config === undefined && existsSync("berth-data") ? "berth-data" : undefined);
  return {
    ...(config === undefined ? {} : { config }),
    ...(dataFolder === undefined ? {} : { dataFolder: resolve(dataFolder) }),
  };
}
