import type { AnyCommand, AnyOutcome } from "@berth/chassis/engine";
import type { Catalogue } from "./catalogue.js";
import type { LeaseEvent } from "./lease-event.js";
import type { RequestRecord, SetRecord, Submission, SubmitFacts, Violation } from "./submission.js";
import type { Attempt, RunOutcome, TaskEvent, TaskSnapshot, TaskState, TaskStatus } from "./task.js";

/** Which tasks; empty fields don't restrict. */
export interface Filter {
  readonly set: string;
  readonly states: readonly TaskState[];
  /** Asked for or assigned. */
  readonly pool: string;
  readonly tenant: string;
  readonly keys: readonly string[];
  /** Within their sets. */
  readonly ids: readonly string[];
  /** All of which the task asks for. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Rows that were read for a command. `drops` is the core's count at that moment. */
export interface RowFacts {
  readonly drops: number;
  readonly rows: readonly TaskSnapshot[];
}

/** Rows that may be made live again, with the sets concerned. */
export interface RetryFacts extends RowFacts {
  readonly sets: readonly SetRecord[];
}

/** The pool-manager's answer about one attempt that was to be forbidden. */
export interface ForbidAnswer {
  readonly key: string;
  readonly attempt: number;
  readonly found: "no_lease" | "revoking" | "released";
  readonly outcome: RunOutcome | null;
}

/** Questions about what is in memory. */
export type Query =
  | { readonly kind: "keys"; readonly keys: readonly string[] }
  /** Live tasks that match, newest first, older than `beforeOrder`. */
  | { readonly kind: "select"; readonly filter: Filter; readonly beforeOrder: number; readonly max: number }
  /** Live tasks that changed after a revision. */
  | { readonly kind: "changed"; readonly filter: Filter; readonly afterRevision: number }
  /** Ready and assigned tasks by sequence. */
  | { readonly kind: "ready"; readonly afterSequence: number; readonly max: number };

/** How far one attempt has come, as its runner says. */
export interface ProgressItem {
  readonly key: string;
  readonly attempt: number;
  readonly fraction: number;
  readonly message: string;
}

/** Everything that the registry can be asked to do: what each command takes, and what it gives. */
export interface Commands {
  submit: {
    takes: { readonly submission: Submission; readonly facts: SubmitFacts };
    gives: Submitted | Invalid | Refused | Stale;
  };
  leaseEvents: {
    takes: { readonly events: readonly LeaseEvent[]; readonly cursor: number; readonly facts: RowFacts };
    gives: Counted | Stale;
  };
  cancel: { takes: { readonly filter: Filter; readonly text: string }; gives: Counted };
  retry: { takes: { readonly filter: Filter; readonly facts: RetryFacts }; gives: Counted | Stale };
  acceptLate: {
    takes: { readonly key: string; readonly attempt: number; readonly facts: RowFacts };
    gives: Done | Refused;
  };
  forbidden: { takes: { readonly answers: readonly ForbidAnswer[] }; gives: Counted };
  catalogue: { takes: { readonly catalogue: Catalogue }; gives: Done };
  progress: { takes: { readonly items: readonly ProgressItem[] }; gives: Done };
  tick: { takes: unknown; gives: Counted };
  /** Tasks in memory, as of a commit. */
  read: { takes: { readonly query: Query }; gives: Tasks };
  /** Sets in memory by name, as of a commit. */
  sets: { takes: { readonly sets: readonly string[] }; gives: Sets };
}

/** Any command. */
export type Command = AnyCommand<Commands>;
/** What came of a command. */
export type Outcome = AnyOutcome<Commands>;

/** It is done. */
export interface Done {
  readonly kind: "done";
}

/** A submission was taken, now or before under the same request id. */
export interface Submitted {
  readonly kind: "submitted";
  readonly set: string;
  readonly taskCount: number;
  readonly revision: number;
  readonly repeated: boolean;
}

/** A submission says things that can't be; nothing was taken. */
export interface Invalid {
  readonly kind: "invalid";
  readonly violations: readonly Violation[];
  /** Of all; `violations` has the first of them. */
  readonly count: number;
  /** Limits that tasks name and nobody has declared. */
  readonly undeclared: readonly string[];
}

/** How many of those concerned changed, stayed as they were, or aren't known. */
export interface Counted {
  readonly kind: "counted";
  readonly changed: number;
  readonly unchanged: number;
  readonly unknown: number;
}

/** Tasks as of a revision. */
export interface Tasks {
  readonly kind: "tasks";
  readonly tasks: readonly TaskSnapshot[];
  readonly revision: number;
}

/** Sets with the counts of all their tasks. */
export interface Sets {
  readonly kind: "sets";
  readonly sets: readonly SetRecord[];
}

/** The facts were overtaken, and nothing was decided: they are read again. Never leaves the engine. */
export interface Stale {
  readonly kind: "stale";
}

/** A refusal, by its reason on the wire. */
export interface Refused {
  readonly kind: "refused";
  readonly reason: "REQUEST_ID_REUSED" | "NOT_FOUND" | "WRONG_STATE" | "NOT_READY";
  readonly message: string;
}

/** What changes. The journal keeps `task` without `subject`, and nothing of the others: they are written with the commit. */
export type Change =
  | TaskChange
  /** A task that came into memory, new or retried: its row is written with this commit. */
  | { readonly kind: "entered"; readonly key: string }
  | { readonly kind: "set"; readonly record: SetRecord }
  | { readonly kind: "request"; readonly record: RequestRecord }
  | { readonly kind: "catalogue"; readonly catalogue: Catalogue }
  | { readonly kind: "cursor"; readonly position: number };

/** A change of one task: its status after it, the attempt that changed, and what its history gained. */
export interface TaskChange {
  readonly kind: "task";
  readonly key: string;
  readonly status: TaskStatus;
  readonly attempt: Attempt | null;
  readonly events: readonly TaskEvent[];
  /** The task itself, for those who listen; not part of the journal. */
  readonly subject?: TaskSnapshot;
  /** State before; not part of the journal. */
  readonly from?: TaskState | "";
}

/** A row as the store writes and reads it. */
export type Row =
  /** `spec` is set where the row is new. */
  | { readonly kind: "task"; readonly task: TaskSnapshot; readonly spec: Uint8Array | undefined }
  /** Only read, once, at load: what isn't a task. */
  | {
      readonly kind: "base";
      readonly revision: number;
      readonly cursor: number;
      readonly catalogue: Catalogue | undefined;
      readonly sets: readonly SetRecord[];
    };
