import { randomBytes } from "node:crypto";
import { runService } from "@berth/chassis/service";
import { poolManagerConfig } from "./config.js";
import { createPoolManager } from "./service.js";

await runService({
  name: "pool-manager",
  about: "keeps pools, limits and leases; decides what may run now, and where",
  schema: poolManagerConfig,
  create: (parts) => createPoolManager({ ...parts, dataId: randomBytes(4).toString("hex") }),
});
