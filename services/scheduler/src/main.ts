import { runService } from "@berth/chassis/service";
import { schedulerConfigSchema } from "./config.js";
import { createScheduler } from "./service.js";

await runService({
  name: "scheduler",
  about: "decides what goes next, and hands the work to the runners",
  schema: schedulerConfigSchema,
  create: createScheduler,
});
