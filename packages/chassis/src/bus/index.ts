export { type BusCase, busConformance } from "./conformance.js";
export { type Faults, FaultyBus } from "./faulty.js";
export { InProcessBus } from "./in-process.js";
export { type BusSettings, busSettings, busSettingsSchema, openBus } from "./open.js";
export type { Bus, BusOptions, Subscription } from "./port.js";
export { SilentBus } from "./silent.js";
