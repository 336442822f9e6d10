import { runService } from "@berth/chassis/service";
import { registryConfigSchema } from "./config.js";
import { createRegistry } from "./service.js";

await runService({
  name: "registry",
  about: "keeps tasks, their dependencies, attempts, history and output",
  schema: registryConfigSchema,
  create: createRegistry,
});
