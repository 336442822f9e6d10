import type { runner } from "@berth/contracts";
import type { Ending } from "../domain/outcome.js";
import type { RunTrace } from "../domain/trace-context.js";

/** What a run can be, as the wire says it. */
export type RunKind = NonNullable<runner.Run["kind"]>["$case"];

/** What supervision does for one run while it is being executed. */
export interface Hooks {
  /** True gives a process the runner's own standard streams. */
  readonly inherit: boolean;
  /** What continues the task's trace within the run. Asked after `begin`. */
  readonly trace: RunTrace;
  /** The last look before anything starts: from here on the run has begun. @throws NotStarted if it mustn't any more. */
  begin(): void;
  /** Takes `begin` back: nothing has come to be. */
  neverBegan(): void;
  /** Calls something within the run's span. */
  within<Value>(what: () => Value): Value;
  /** A piece of output. Counts as a heartbeat. */
  output(data: Buffer, stderr: boolean): void;
  /** Says how far it is: 0 to 1, and at most 256 characters. */
  progress(fraction: number, message: string): void;
  /** A sign of life. */
  heartbeat(): void;
  /** It has ended by itself; whatever stops it from now on only ends what it has left behind. */
  leaderEnded(): void;
}

/** One run that is being executed. */
export interface Execution {
  /** How it ended, once nothing of it is alive. Rejects with {@link NotStarted} before it has begun, with anything else if it can't be followed. */
  readonly ended: Promise<Ending>;
  /** True if something of it would live on without the runner, so that it mustn't be alive without a guard. */
  readonly outlivesRunner: boolean;
  /** Asks it to end, and ends it after `graceMs` where that is possible. Later calls can only shorten the grace. */
  stop(graceMs: number, reason: string): void;
  /** Ends it at once, where that is possible. */
  kill(reason: string): void;
}

/**
 * Executes runs of one kind, and answers for what they may leave behind. A new kind is a file with one of these and a line in
 * `registered.ts`.
 */
export interface Executor {
  /** Starts a run. Whatever goes wrong is said by the execution's `ended`. */
  start(work: runner.Work, hooks: Hooks): Execution;
  /** Process groups that would live on without the runner, with the start time of each leader: what a new guard is told. */
  survivors(): ReadonlyMap<number, string>;
  /** Ends what earlier processes of this runner left; `onWait` hears what still lives. Returns how much it was. */
  endLeftovers(onWait: (left: number) => void): Promise<number>;
  /** A session begins: nothing of earlier ones is alive. */
  beginSession(incarnation: string): void;
  /** Ends what the runs of this session have left behind, except those that are alive. */
  sweep(): Promise<void>;
  /** Lets go of its files. */
  close(): void;
}

/** Why nothing was started. */
export class NotStarted extends Error {
  override readonly name = "NotStarted";
  /** True if trying again can't help. */
  readonly permanent: boolean;

  constructor(message: string, permanent: boolean) {
    super(message);
    this.permanent = permanent;
  }
}
