import { runService } from "@berth/chassis/service";
import { metricsConfigSchema } from "./config.js";
import { createMetrics } from "./service.js";

await runService({
  name: "metrics",
  about: "keeps the history of concurrency, and speaks for the whole system on /metrics",
  schema: metricsConfigSchema,
  create: createMetrics,
});
