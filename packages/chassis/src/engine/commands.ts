import { Engine } from "./engine.js";
import type { Core } from "./port.js";
import { type Reading, submitWith } from "./submit-with.js";

/** Commands by kind: what each takes, and what it gives. */
export type CommandTable<Commands> = {
  readonly [Kind in keyof Commands]: { readonly takes: unknown; readonly gives: unknown };
};

/** A command of one kind. */
export type CommandOf<Commands extends CommandTable<Commands>, Kind extends keyof Commands> = {
  readonly kind: Kind;
} & Commands[Kind]["takes"];

/** Any command. */
export type AnyCommand<Commands extends CommandTable<Commands>> = {
  [Kind in keyof Commands]: CommandOf<Commands, Kind>;
}[keyof Commands];

/** What one of the commands gives. */
export type AnyOutcome<Commands extends CommandTable<Commands>> = Commands[keyof Commands]["gives"];

/** One handler for each kind, so that none is forgotten, and each gives what its kind promises. */
export type Handlers<Commands extends CommandTable<Commands>, Context extends readonly unknown[]> = {
  readonly [Kind in keyof Commands]: (...given: [...Context, CommandOf<Commands, Kind>]) => Commands[Kind]["gives"];
};

/** The rules of a service whose commands have kinds; decided by a table of {@link Handlers}. */
export type CommandCore<Commands extends CommandTable<Commands>, Change, Row> = Core<
  AnyCommand<Commands>,
  AnyOutcome<Commands>,
  Change,
  Row
>;

/** An engine whose commands have kinds: what is submitted says what is answered. */
export class CommandEngine<Commands extends CommandTable<Commands>, Change, Row> extends Engine<
  AnyCommand<Commands>,
  AnyOutcome<Commands>,
  Change,
  Row
> {
  /** As the engine's; the outcome is that of the command's kind. */
  override submit<Kind extends keyof Commands>(command: CommandOf<Commands, Kind>): Promise<Commands[Kind]["gives"]> {
    return super.submit(command);
  }

  /**
   * Reads what a decision about some items needs, then lets it be decided, and again for the items whose facts were overtaken in between. One result
   * for each item, in order, none of them stale. Rejects with STORE_STALLED if they are overtaken again and again.
   */
  submitWith<Item, Kind extends keyof Commands, Result, Stale extends Result>(
    items: readonly Item[],
    reading: Reading<Item, CommandOf<Commands, Kind>, Commands[Kind]["gives"], Result, Stale>,
  ): Promise<Exclude<Result, Stale>[]> {
    return submitWith((command) => this.submit(command), items, reading);
  }
}
