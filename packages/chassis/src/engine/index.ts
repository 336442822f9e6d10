export {
  type AnyCommand,
  type AnyOutcome,
  type CommandCore,
  CommandEngine,
  type CommandOf,
  type CommandTable,
  type Handlers,
} from "./commands.js";
export { type Commit, Engine, type EngineOptions, type EngineState } from "./engine.js";
export { type Leader, Leadership, type Takeover } from "./leadership.js";
export {
  CommitRefused,
  type Core,
  type Decision,
  type EngineStore,
  type Group,
  LeadLost,
  type Loaded,
  type Now,
  type Position,
} from "./port.js";
export { type Migration, SchemaTooNew, stepsFrom } from "./schema.js";
