export { type Commit, Engine, type EngineOptions, type EngineState } from "./engine.js";
export {
  CommitRefused,
  type Core,
  type Decision,
  type EngineStore,
  type Group,
  LeadLost,
  type Loaded,
  type Now,
} from "./port.js";
