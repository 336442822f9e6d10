// The runner SDK. `createRunner` makes a runner for given services; see the README for what it promises.
export { defaultEnvAllow } from "./domain/environment.js";
export { type Handler, type HandlerContext, type HandlerTask, PermanentError } from "./handlers.js";
export { type RunnerClient, type RunnerOptions, RunnerOptionsError } from "./options.js";
export type { LogSettings } from "./output/sender.js";
export type { RunnerFigures, RunnerHealth } from "./report.js";
export { createRunner, type Runner } from "./runner.js";
export type { RunOptions } from "./supervisor.js";
