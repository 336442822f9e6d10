/** The registry: what is to be done and what became of it. See the README. */
export { type RegistryConfig, registryConfigSchema } from "./config.js";
export { createRegistry, type RegistryServiceOptions } from "./service.js";
export { openStores, type RegistryStores } from "./store/open.js";
