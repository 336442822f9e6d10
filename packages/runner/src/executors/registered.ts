import type { Clock } from "@berth/chassis/clock";
import type { RunnerIdentity } from "../domain/environment.js";
import type { GuardKeeper } from "../guard/keeper.js";
import type { Handler } from "../handlers.js";
import { Executors } from "./all.js";
import { HandlerExecutor } from "./handler.js";
import { ProcessExecutor } from "./process.js";

/** What executors are made of. */
export interface ExecutorNeeds {
  readonly clock: Clock;
  readonly keeper: GuardKeeper;
  readonly handlers: ReadonlyMap<string, Handler>;
  /** The runner's data folder. */
  readonly dataFolder: string;
  /** The runner's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly envAllow: readonly string[];
  /** Directory that a run's relative one is taken from. */
  readonly folder: string;
  readonly secretsFolder: string | undefined;
  identity(): RunnerIdentity;
}

/** Every kind of run that there is, and who executes it. */
export function registeredExecutors(needs: ExecutorNeeds): Executors {
  return new Executors({
    command: new ProcessExecutor(needs),
    handler: new HandlerExecutor(needs),
  });
}
