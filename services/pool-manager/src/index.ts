export { PoolCore } from "./domain/core.js";
