// The metrics service: compose it with createMetrics, or run `main.js` as a process.
export { type MetricsConfig, metricsConfigSchema } from "./config.js";
export { createMetrics, type MetricsOptions } from "./service.js";
