import type { CommandCore, Decision, Handlers, Now } from "@berth/chassis/engine";
import { acceptLate, cancel, takeForbidAnswers } from "./cancel.js";
import type { Change, Command, Commands, Outcome, Row } from "./commands.js";
import { takeLeaseEvents } from "./lease-events.js";
import { LiveTask, Memory } from "./memory.js";
import { read, readSets } from "./read.js";
import { retry } from "./retry.js";
import { submit } from "./submit.js";
import { isFinal } from "./task.js";
import { tick } from "./tick.js";
import { type CoreSettings, Transition } from "./transition.js";

/** The rules of the registry. */
export class RegistryCore implements CommandCore<Commands, Change, Row> {
  /** What is live. Others look, only the core alters. */
  readonly memory = new Memory();
  private readonly settings: CoreSettings;

  constructor(settings: CoreSettings) {
    this.settings = settings;
  }

  /** Takes the rows of what is live. */
  load(rows: readonly Row[]): void {
    const { memory } = this;
    for (const row of rows) {
      if (row.kind === "task") memory.add(new LiveTask(row.task));
      else {
        memory.revision = Math.max(memory.revision, row.revision);
        memory.cursor = row.cursor;
        if (row.catalogue) memory.setCatalogue(row.catalogue);
        for (const set of row.sets) memory.addSet(set);
      }
    }
  }

  /** To be called when rows and journal are in: builds the indexes. */
  finishLoading(): void {
    this.memory.finishLoading();
  }

  decide(command: Command, now: Now): Decision<Outcome, Change> {
    const transition = new Transition(this.memory, now, this.settings);
    return { outcome: decided(transition, command), changes: transition.changes };
  }

  apply(change: Change): void {
    // Everything but tasks is written with its commit, and so are the rows of tasks that ended or came in.
    if (change.kind !== "task") return;
    const task = this.memory.tasks.get(change.key);
    // A row may be newer than a change of the journal; its revision tells.
    if (task && change.status.revision > task.status.revision)
      this.memory.change(task, change.status, change.attempt, change.events);
  }

  rowKey(change: Change): string | undefined {
    return change.kind === "task" || change.kind === "entered" ? change.key : undefined;
  }

  row(key: string): { row: Row; final: boolean } | undefined {
    const { memory } = this;
    const task = memory.tasks.get(key);
    if (!task) return undefined;
    const final = memory.entering.has(key) || isFinal(task.status.state);
    return { row: { kind: "task", task, spec: memory.fresh.get(key) }, final };
  }

  written(key: string): void {
    this.memory.fresh.delete(key);
    this.memory.entering.delete(key);
    this.memory.drop(key);
  }
}

const handlers: Handlers<Commands, [Transition]> = {
  submit: (transition, { submission, facts }) => submit(transition, submission, facts),
  leaseEvents: (transition, { events, cursor, facts }) => takeLeaseEvents(transition, events, cursor, facts),
  cancel: (transition, { filter, text }) => cancel(transition, filter, text),
  retry: (transition, { filter, facts }) => retry(transition, filter, facts),
  acceptLate: (transition, { key, attempt, facts }) => acceptLate(transition, key, attempt, facts.rows.length > 0),
  forbidden: (transition, { answers }) => takeForbidAnswers(transition, answers),
  catalogue({ memory, changes }, { catalogue }) {
    memory.setCatalogue(catalogue);
    changes.push({ kind: "catalogue", catalogue });
    return { kind: "done" };
  },
  progress(transition, { items }) {
    for (const { key, attempt, fraction, message } of items) {
      const task = transition.memory.tasks.get(key);
      if (task?.status.attempt !== attempt || isFinal(task.status.state)) continue;
      const progress = Math.min(1, Math.max(0, fraction || 0));
      transition.update(task, { progress, progressMessage: message.slice(0, 256) }, null, []);
    }
    return { kind: "done" };
  },
  tick: (transition) => tick(transition),
  read: ({ memory }, { query }) => read(memory, query),
  sets: ({ memory }, { sets }) => readSets(memory, sets),
};

/** The compiler knows that each handler fits its kind, but not that this one fits this command. */
function decided(transition: Transition, command: Command): Outcome {
  const handler = handlers[command.kind] as (transition: Transition, command: Command) => Outcome;
  return handler(transition, command);
}
