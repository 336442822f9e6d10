import type { Point } from "../domain/roll-up.js";

/** One limit in a round of samples. */
export interface LimitSample {
  readonly limit: string;
  readonly used: number;
  readonly capacity: number;
}

/** All that was sampled at one moment. */
export interface Round {
  /** Wall clock, milliseconds since 1970. */
  readonly wallMs: number;
  /** Number of the pool-manager's commit. */
  readonly revision: number;
  /** Ready tasks without a lease. */
  readonly queueSize: number;
  /** By name. */
  readonly limits: readonly LimitSample[];
}

/** How long history is kept. */
export interface Retention {
  /** Single samples, milliseconds. */
  readonly rawMs: number;
  /** Minutes, milliseconds; longer than `rawMs`. */
  readonly minutesMs: number;
}

/** Keeps the history. */
export interface SampleStore {
  /** Appends a round, brings the minutes up to date and deletes some of what is too old; all or nothing. A round of the same moment is replaced. */
  append(round: Round): Promise<void>;
  /** The last round; undefined before the first. */
  latest(): Promise<Round | undefined>;
  /** Points of a limit from `fromMs` on, before `toMs`, oldest first, at most `max`: minutes, then single samples where they are kept. */
  read(limit: string, fromMs: number, toMs: number, max: number): Promise<Point[]>;
  close(): Promise<void>;
}
