// The scheduler service: compose it with createScheduler, or run `main.js` as a process.
export { type SchedulerConfig, schedulerConfigSchema } from "./config.js";
export { createScheduler, type SchedulerOptions } from "./service.js";
