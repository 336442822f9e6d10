// What others may use: the service for main and standalone; the core, the engine and the stores for simulations.
export { type PoolManagerConfig, poolManagerConfig } from "./config.js";
export type { Change, Row } from "./domain/changes.js";
export type { Command } from "./domain/commands.js";
export { PoolCore } from "./domain/core.js";
export type { Settings } from "./domain/state.js";
export type { PoolStore } from "./engine/ports.js";
export { PoolEngine, type PoolEngineOptions } from "./engine/service.js";
export { createPoolManager, type PoolManager, type PoolManagerOptions } from "./service.js";
export { type CommitHooks, MemoryDisk, MemoryStore } from "./store/memory.js";
export { openStore } from "./store/open.js";
export { SqlitePoolStore } from "./store/sqlite.js";
