export type { ServiceBody, ServiceOptions, Shell, ShellSettings } from "./body.js";
export { thisProcess } from "./holder.js";
export { runService, type ServiceParts, type ServiceProgram, type ServiceSettings } from "./run.js";
export { createService, type Service } from "./shell.js";
