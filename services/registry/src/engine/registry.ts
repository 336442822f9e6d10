import type { Clock } from "@berth/chassis/clock";
import { CommandEngine, type CommandOf, type Commit, type EngineState } from "@berth/chassis/engine";
import { ReasonError } from "@berth/chassis/grpc";
import type { Logger } from "@berth/chassis/log";
import { firstUnknown } from "../domain/check-spec.js";
import type {
  Change,
  Commands,
  Counted,
  Filter,
  ForbidAnswer,
  Query,
  Refused,
  RetryFacts,
  Row,
  Stale,
  Submitted,
  Tasks,
} from "../domain/commands.js";
import { RegistryCore } from "../domain/core.js";
import type { LeaseEvent } from "../domain/lease-event.js";
import type { SetRecord, Submission } from "../domain/submission.js";
import type { TaskSnapshot } from "../domain/task.js";
import type { CoreSettings } from "../domain/transition.js";
import { Feed } from "./feed.js";
import type { PoolsPort } from "./pools.js";
import type { RegistryStore } from "./store.js";

/** What the registry is made of. */
export interface RegistryOptions {
  readonly store: RegistryStore;
  readonly settings: CoreSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pools: Pick<PoolsPort, "readCatalogue">;
  readonly onFailed: (error: Error) => void;
  /** Who this process is, for the leader row. */
  readonly holder?: string;
}

/** Undeclared limits that an error names for programs; the violations name them all. */
const undeclaredShown = 20;

/** The engine with its readings: every command of the registry, with the facts that it needs from rows. */
export class Registry {
  readonly core: RegistryCore;
  readonly feed = new Feed();
  readonly store: RegistryStore;
  private readonly engine: CommandEngine<Commands, Change, Row>;
  private readonly options: RegistryOptions;

  constructor(options: RegistryOptions) {
    this.options = options;
    this.store = options.store;
    this.core = new RegistryCore(options.settings);
    this.engine = new CommandEngine<Commands, Change, Row>({
      core: this.core,
      store: options.store,
      load: (rows) => this.core.load(rows),
      clock: options.clock,
      logger: options.logger,
      name: "registry",
      ...(options.holder !== undefined && { holder: options.holder }),
      onFailed: options.onFailed,
    });
    this.engine.onCommit(({ changes }) => {
      for (const change of changes) if (change.kind === "task") this.feed.note(change);
    });
  }

  /** Takes the leadership, as a standby from the epoch that it has `seen`, and loads. */
  async start(seen?: number): Promise<void> {
    await this.engine.start(seen);
    this.core.finishLoading();
    this.feed.revision = this.core.memory.revision;
  }

  /** Answers what waits and closes the store. */
  stop(): Promise<void> {
    return this.engine.stop();
  }

  /** See the engine's. */
  confirm(): Promise<void> {
    return this.engine.confirm();
  }
  get confirmedMs(): number {
    return this.engine.confirmedMs;
  }

  /** Calls back after each commit that changed something. */
  onCommit(listener: (commit: Commit<Change>) => void): () => void {
    return this.engine.onCommit(listener);
  }

  /** Where the engine stands, and its figures. */
  get state(): EngineState {
    return this.engine.state;
  }
  get figures(): CommandEngine<Commands, Change, Row>["figures"] {
    return this.engine.figures;
  }

  /** Takes a submission; reads the catalogue again first if that lacks something the submission names. */
  async submit(submission: Submission): Promise<Submitted> {
    await this.refreshFor(submission);
    const outcome = await this.withFacts<"submit">(async () => {
      const set = submission.set === "" ? submission.madeUpSet : submission.set;
      const { drops } = this.core.memory.leavers;
      const own = submission.tasks.map(({ id }) => id);
      const ids = new Set([...own, ...submission.tasks.flatMap(({ needs }) => needs)]);
      const record = await this.store.set(set);
      // A set that isn't there has no tasks: most submissions need no look at all.
      const existing = record ? await this.store.states(set, [...ids].slice(0, 100_000)) : new Map<string, never>();
      const request = submission.requestId === "" ? undefined : await this.store.request(submission.requestId);
      return { kind: "submit", submission, facts: { drops, existing, set: record, request } };
    });
    if (outcome.kind === "submitted") return outcome;
    if (outcome.kind === "refused") throw refused(outcome);
    const shown = outcome.violations.slice(0, 20).map(({ field, description }) => `${field}: ${description}`);
    const rest = outcome.count - shown.length;
    throw new ReasonError("INVALID_FIELD", `${shown.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}`, {
      fields: outcome.violations,
      // For programs that know how a limit is made where they are, such as the command line.
      ...(outcome.undeclared.length > 0 && {
        metadata: { undeclared_limits: outcome.undeclared.slice(0, undeclaredShown).join(",") },
      }),
    });
  }

  /** Takes lease events and the cursor behind them. */
  leaseEvents(events: readonly LeaseEvent[], cursor: number): Promise<Counted> {
    return this.withFacts<"leaseEvents">(async () => {
      const { memory } = this.core;
      const { drops } = memory.leavers;
      const late = events.filter(({ kind, key }) => kind === "late_result" && !memory.tasks.has(key));
      return {
        kind: "leaseEvents",
        events,
        cursor,
        facts: { drops, rows: await this.store.tasks(late.map(({ key }) => key)) },
      };
    });
  }

  /** Cancels what matches. */
  cancel(filter: Filter, text: string): Promise<Counted> {
    return this.engine.submit({ kind: "cancel", filter, text });
  }

  /** Lets what matches begin anew. */
  retry(filter: Filter): Promise<Counted> {
    return this.withFacts<"retry">(async () => ({ kind: "retry", filter, facts: await this.retryFacts(filter) }));
  }

  /** Accepts a late result. */
  async acceptLate(key: string, attempt: number): Promise<void> {
    const outcome = await this.withFacts<"acceptLate">(async () => {
      const { drops } = this.core.memory.leavers;
      return { kind: "acceptLate", key, attempt, facts: { drops, rows: await this.store.tasks([key]) } };
    });
    if (outcome.kind === "refused") throw refused(outcome);
  }

  /** Takes answers about forbidden attempts. */
  forbidden(answers: readonly ForbidAnswer[]): Promise<Counted> {
    return this.engine.submit({ kind: "forbidden", answers });
  }

  /** Does what is due; counts it. */
  tick(): Promise<Counted> {
    return this.engine.submit({ kind: "tick" });
  }

  /** Takes any other command. */
  async command(command: CommandOf<Commands, "catalogue"> | CommandOf<Commands, "progress">): Promise<void> {
    await this.engine.submit(command);
  }

  /** Answers a question about live tasks, as of a commit. */
  live(query: Query): Promise<Tasks> {
    return this.engine.submit({ kind: "read", query });
  }

  /** Sets by name with the counts of all their tasks, live and final. */
  async sets(names: readonly string[]): Promise<Map<string, SetRecord>> {
    const { sets } = await this.engine.submit({ kind: "sets", sets: names });
    return new Map(sets.map((record) => [record.set, record]));
  }

  private async retryFacts(filter: Filter): Promise<RetryFacts> {
    const { drops } = this.core.memory.leavers;
    const names = new Set(filter.keys.map((key) => key.slice(0, key.indexOf("/"))));
    if (filter.set !== "") names.add(filter.set);
    const rows: TaskSnapshot[] = [];
    const sets: SetRecord[] = [];
    for (const set of names) {
      const record = await this.store.set(set);
      if (!record) continue;
      sets.push(record);
      rows.push(
        ...(await this.store.finals(
          { set, states: ["FAILED", "CANCELLED", "SKIPPED"], pool: "", tenant: "", keys: [], ids: [], labels: {} },
          Number.MAX_SAFE_INTEGER,
          200_000,
        )),
      );
    }
    return { drops, rows, sets };
  }

  private async withFacts<Kind extends keyof Commands>(
    read: () => Promise<CommandOf<Commands, Kind>>,
  ): Promise<Exclude<Commands[Kind]["gives"], Stale>> {
    const [outcome] = await this.engine.submitWith<undefined, Kind, Commands[Kind]["gives"], Stale>([undefined], {
      read,
      results: (outcome) => [outcome],
      isStale: (outcome): outcome is Stale => outcome.kind === "stale",
    });
    return outcome as Exclude<Commands[Kind]["gives"], Stale>;
  }

  private async refreshFor(submission: Submission): Promise<void> {
    const { catalogue } = this.core.memory;
    if (catalogue && firstUnknown(submission, catalogue, this.options.settings) === undefined) return;
    try {
      await this.command({ kind: "catalogue", catalogue: await this.options.pools.readCatalogue() });
    } catch (error) {
      this.options.logger.warn(
        { err: error },
        "the pool-manager can't be asked for pools and limits; the stored ones decide",
      );
    }
  }
}

function refused({ reason, message }: Refused): ReasonError {
  return new ReasonError(reason, message);
}
