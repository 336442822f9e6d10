/** The moment of a decision, handed in. */
export interface Now {
  /** Interval clock in milliseconds: leases are measured by it. */
  readonly monoMs: number;
  /** Wall clock in milliseconds since 1970: stored times are taken from it. */
  readonly wallMs: number;
}

/** What a core decided about one command. */
export interface Decision<Outcome, Change> {
  /** The answer. A refusal is an answer too. */
  readonly outcome: Outcome;
  /** What changed, already applied to the state; each carries absolute values. */
  readonly changes: readonly Change[];
  /**
   * True where nothing changed and the outcome tells nobody anything: then there is nothing that has to wait for a commit. An answer to
   * somebody, a refusal too, is never silent: that this process still leads must be sure before it leaves.
   */
  readonly silent?: boolean;
}

/** The rules of a service: a deterministic state machine without I/O, clock or chance. */
export interface Core<Command, Outcome, Change, Row> {
  /** Decides one command and applies its own changes. Never throws for bad input; throws only if an invariant is broken. */
  decide(command: Command, now: Now): Decision<Outcome, Change>;
  /** Applies a change of the journal when loading. Applying one that the state already holds changes nothing. */
  apply(change: Change): void;
  /** Key of the row that a change alters; undefined for none. */
  rowKey(change: Change): string | undefined;
  /** That row as it is now; `final` asks to write it with this very group. Undefined: there is nothing to write. */
  row(key: string): { readonly row: Row; readonly final: boolean } | undefined;
  /** Says that a final row has been committed, so that its subject may leave the memory. */
  written?(key: string): void;
}

/** One commit. */
export interface Group<Change, Row> {
  /** Epoch of the leader that made it. */
  readonly epoch: number;
  /** Its number: one more than that of the commit before. */
  readonly n: number;
  /** When it was made, wall clock. */
  readonly wallMs: number;
  /** Its changes, for the journal. Empty in a group that only confirms the leadership. */
  readonly changes: readonly Change[];
  /** Rows to write, as they are after its changes. */
  readonly rows: readonly Row[];
  /** Oldest commit that holds a change which isn't in a row yet; loading replays from there. */
  readonly replayFrom: number;
}

/** What a store holds when leadership is taken. */
export interface Loaded<Change, Row> {
  /** The new epoch. */
  readonly epoch: number;
  /** Number of the last commit. */
  readonly n: number;
  /** Rows of everything that is live. */
  readonly rows: readonly Row[];
  /** Commits to replay onto them, oldest first. */
  readonly groups: readonly { readonly n: number; readonly changes: readonly Change[] }[];
}

/** Where the leader row stands. */
export interface Position {
  /** Grows with every leader; never goes back, and the row is never deleted. */
  readonly epoch: number;
  /** Number of the last commit. */
  readonly n: number;
  /** Who leads, as it called itself; empty before the first leader and after one that has resigned. */
  readonly holder: string;
}

/** The leader row, as a store that keeps a journal has it. */
export interface LeadPosition extends Position {
  /** Oldest commit that a replay needs. */
  readonly replayFrom: number;
}

/** One commit in the journal. */
export interface JournalRow {
  /** Number of the commit. */
  readonly n: number;
  /** When, wall clock, milliseconds since 1970. */
  readonly wallMs: number;
  /** Its changes, as the store encoded them. */
  readonly changes: string;
}

/** What an engine needs of a store. */
export interface EngineStore<Change, Row> {
  /**
   * Takes the leadership: moves the leader row to the next epoch, then reads what is live. With `seen`, only if the row still stands at that
   * epoch, so that of several standbys one takes over. Throws {@link LeadLost} otherwise.
   */
  lead(holder: string, seen?: number): Promise<Loaded<Change, Row>>;
  /**
   * Commits a group in one transaction that begins by moving the leader row from (epoch, n - 1) to (epoch, n).
   * Throws {@link LeadLost} if the row stands elsewhere and {@link CommitRefused} if the store refuses the content.
   * After any other error the fate of the group is unknown.
   */
  commit(group: Group<Change, Row>): Promise<void>;
  /** Reads the leader row, without waiting for whoever is about to move it. */
  position(): Promise<Position>;
  /** Empties the holder, so that a standby needn't wait; the epoch stays. Changes nothing if the row stands at another epoch. */
  resign(epoch: number): Promise<void>;
  /** Closes the store. Safe to call twice. */
  close(): Promise<void>;
}

/** The leader row isn't where this leader left it: another one leads. */
export class LeadLost extends Error {
  override readonly name = "LeadLost";
}

/** The store refuses what a group holds: a constraint is broken, so our understanding is. */
export class CommitRefused extends Error {
  override readonly name = "CommitRefused";
}
