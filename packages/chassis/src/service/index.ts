export { runService, type ServiceParts, type ServiceProgram, type ServiceSettings } from "./run.js";
