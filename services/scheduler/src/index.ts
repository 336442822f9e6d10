// The scheduler service: compose it with createScheduler, or run `main.js` as a process.
export { type SchedulerConfig, schedulerConfigSchema } from "./config.js";
export { createScheduler, type Scheduler, type SchedulerOptions } from "./service.js";
