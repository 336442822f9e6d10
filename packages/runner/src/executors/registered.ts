import { Executors } from "./all.js";
import { HandlerExecutor, type HandlerExecutorOptions } from "./handler.js";
import { ProcessExecutor, type ProcessExecutorOptions } from "./process.js";

/** What executors are made of. */
export interface ExecutorNeeds extends ProcessExecutorOptions, HandlerExecutorOptions {}

/** Every kind of run that there is, and who executes it. */
export function registeredExecutors(needs: ExecutorNeeds): Executors {
  return new Executors({
    command: new ProcessExecutor(needs),
    handler: new HandlerExecutor(needs),
  });
}
