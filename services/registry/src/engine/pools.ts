import type { Catalogue } from "../domain/catalogue.js";
import type { ForbidAnswer } from "../domain/commands.js";
import type { LeaseEvent } from "../domain/lease-event.js";
import type { SetLimit } from "../domain/submission.js";

/** Some lease events as they come from the pool-manager's journal. */
export interface LeaseEventBatch {
  readonly events: readonly LeaseEvent[];
  /** Where to go on. */
  readonly nextPosition: number;
  /** First position that the journal still has; 0 if unknown. */
  readonly firstPosition: number;
}

/** What the registry needs of the pool-manager. */
export interface PoolsPort {
  /** Streams lease events after a position; ends or fails when the connection does. */
  watchLeaseEvents(afterPosition: number, signal: AbortSignal): AsyncIterable<LeaseEventBatch>;
  /** Lets the journal forget events up to a position. */
  acknowledge(position: number): Promise<void>;
  /** Streams the catalogue: at once, then on every change. */
  watchCatalogue(signal: AbortSignal): AsyncIterable<Catalogue>;
  /** The catalogue as it is now. */
  readCatalogue(): Promise<Catalogue>;
  /** Forbids attempts; at most 1,000. */
  forbid(
    attempts: readonly { readonly key: string; readonly attempt: number }[],
    reason: string,
  ): Promise<ForbidAnswer[]>;
  /** Makes a limit of a set; a repeat changes nothing. */
  makeLimit(set: string, limit: SetLimit): Promise<void>;
  /** Deletes a limit of a set, by the pool-manager's name; one that isn't there is deleted already. Fails while it is occupied. */
  dropLimit(set: string, name: string): Promise<void>;
  /** What is known of the leases of a task, as if read from the journal: for each the latest event, positions 0. */
  leasesOf(key: string): Promise<LeaseEvent[]>;
}
