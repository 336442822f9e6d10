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
  | { readonly kind: "ready"; readonly afterSequence: number; readonly max: number }
  | { readonly kind: "sets"; readonly sets: readonly string[] };

/** Everything that the registry can be asked to do. */
export type Command =
  | { readonly kind: "submit"; readonly submission: Submission; readonly facts: SubmitFacts }
  | {
      readonly kind: "leaseEvents";
      readonly events: readonly LeaseEvent[];
      readonly cursor: number;
      readonly facts: RowFacts;
    }
  | { readonly kind: "cancel"; readonly filter: Filter; readonly text: string }
  | { readonly kind: "retry"; readonly filter: Filter; readonly facts: RetryFacts }
  | { readonly kind: "acceptLate"; readonly key: string; readonly attempt: number; readonly facts: RowFacts }
  | { readonly kind: "forbidden"; readonly answers: readonly ForbidAnswer[] }
  | { readonly kind: "catalogue"; readonly catalogue: Catalogue }
  | {
      readonly kind: "progress";
      readonly items: readonly {
        readonly key: string;
        readonly attempt: number;
        readonly fraction: number;
        readonly message: string;
      }[];
    }
  | { readonly kind: "tick" }
  | { readonly kind: "read"; readonly query: Query };

/** A refusal, by its reason on the wire. */
export interface Refused {
  readonly kind: "refused";
  readonly reason: "REQUEST_ID_REUSED" | "NOT_FOUND" | "WRONG_STATE" | "NOT_READY";
  readonly message: string;
}

/** What came of a command. */
export type Outcome =
  | { readonly kind: "done" }
  | {
      readonly kind: "submitted";
      readonly set: string;
      readonly taskCount: number;
      readonly revision: number;
      readonly repeated: boolean;
    }
  | {
      readonly kind: "invalid";
      readonly violations: readonly Violation[];
      readonly count: number;
      /** Limits that tasks name and nobody has declared. */
      readonly undeclared: readonly string[];
    }
  | { readonly kind: "counted"; readonly changed: number; readonly unchanged: number; readonly unknown: number }
  | { readonly kind: "tasks"; readonly tasks: readonly TaskSnapshot[]; readonly revision: number }
  | { readonly kind: "sets"; readonly sets: readonly SetRecord[] }
  /** The facts were overtaken: read them again and ask again. */
  | { readonly kind: "stale" }
  | Refused;

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
