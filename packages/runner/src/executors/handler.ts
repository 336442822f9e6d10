import type { runner } from "@berth/contracts";
import type { Ending } from "../domain/outcome.js";
import type { GuardKeeper } from "../guard/keeper.js";
import type { Handler } from "../handlers.js";
import { type Execution, type Executor, type Hooks, NotStarted } from "./executor.js";
import { HandlerCall } from "./handler-call.js";

/** What it needs. */
export interface HandlerExecutorOptions {
  readonly keeper: GuardKeeper;
  readonly handlers: ReadonlyMap<string, Handler>;
}

const nothing: ReadonlyMap<number, string> = new Map();

/** Calls the handlers that the runner's program has registered. They die with the runner, which the guard ends if they don't end in time. */
export class HandlerExecutor implements Executor {
  private readonly options: HandlerExecutorOptions;

  constructor(options: HandlerExecutorOptions) {
    this.options = options;
  }

  start(work: runner.Work, hooks: Hooks): Execution {
    let call: HandlerCall | undefined;
    const stop = (reason: string): void => call?.stop(reason);
    const ended = this.run(work, hooks, (made) => {
      call = made;
    });
    return { ended, outlivesRunner: false, stop: (_graceMs, reason) => stop(reason), kill: stop };
  }

  survivors(): ReadonlyMap<number, string> {
    return nothing;
  }

  async endLeftovers(): Promise<number> {
    return 0;
  }

  beginSession(): void {}

  async sweep(): Promise<void> {}

  close(): void {}

  private async run(work: runner.Work, hooks: Hooks, onCall: (call: HandlerCall) => void): Promise<Ending> {
    const { handlers, keeper } = this.options;
    const name = work.run?.kind?.$case === "handler" ? work.run.kind.value.name : "";
    const handler = handlers.get(name);
    if (!handler) {
      const known = handlers.size === 0 ? "it has none" : `it has ${[...handlers.keys()].sort().join(", ")}`;
      // It was taken away while the work was on its way. Others may have it, so it isn't for good.
      throw new NotStarted(`this runner has no handler ${JSON.stringify(name)}; ${known}`, false);
    }
    if (!keeper.ready) await keeper.whenReady();
    hooks.begin();
    try {
      keeper.handlerBegan();
      const call = hooks.within(() => new HandlerCall(work, hooks.trace, handler, hooks));
      onCall(call);
      return await call.ended;
    } finally {
      hooks.leaderEnded();
      keeper.handlerEnded();
    }
  }
}
