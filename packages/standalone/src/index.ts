/** All of Berth in one process: four services and a local runner on SQLite files in one data folder. */
export { ConfigError } from "@berth/chassis/config";
export { PortInUse } from "@berth/chassis/errors";
export { FolderLocked } from "@berth/chassis/sqlite";
export { type BerthConfig, type BerthConfigInput, berthSchema, parseConfig } from "./config.js";
export { type Standalone, type StandaloneOptions, startConfigured, startStandalone } from "./standalone.js";
