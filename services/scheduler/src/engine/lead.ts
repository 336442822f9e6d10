import type { Clock } from "@berth/chassis/clock";
import { type Core, Engine, type EngineStore } from "@berth/chassis/engine";
import type { Logger } from "@berth/chassis/log";

/** Nothing to decide: the commits are there for the leadership alone. */
const nothing: Core<never, never, never, never> = {
  decide: (command) => command,
  apply: () => undefined,
  rowKey: () => undefined,
  row: () => undefined,
};

/** What leading needs. */
export interface LeadOptions {
  readonly store: EngineStore<never, never>;
  readonly holder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onFailed: (error: Error) => void;
}

/** An engine whose commits are all empty: with it the scheduler is led by the same rules as the services that have something to keep. */
export function leadEngine(options: LeadOptions): Engine<never, never, never, never> {
  return new Engine<never, never, never, never>({
    ...options,
    core: nothing,
    load: () => undefined,
    name: "scheduler",
  });
}
