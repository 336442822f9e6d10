import type { Core, Decision, Now } from "@berth/chassis/engine";
import { acceptLate, cancel, takeForbidAnswers } from "./cancel.js";
import type { Change, Command, Outcome, Row } from "./commands.js";
import { takeLeaseEvents } from "./lease-events.js";
import { LiveTask, Memory } from "./memory.js";
import { read } from "./read.js";
import { retry } from "./retry.js";
import { submit } from "./submit.js";
import { isFinal } from "./task.js";
import { tick } from "./tick.js";
import { type CoreSettings, Transition } from "./transition.js";

/** The rules of the registry. */
export class RegistryCore implements Core<Command, Outcome, Change, Row> {
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
    return { outcome: this.outcome(transition, command), changes: transition.changes };
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

  private outcome(transition: Transition, command: Command): Outcome {
    const { memory } = this;
    switch (command.kind) {
      case "submit":
        return submit(transition, command.submission, command.facts);
      case "leaseEvents":
        return takeLeaseEvents(transition, command.events, command.cursor, command.facts);
      case "cancel":
        return cancel(transition, command.filter, command.text);
      case "retry":
        return retry(transition, command.filter, command.facts);
      case "acceptLate":
        return acceptLate(transition, command.key, command.attempt, command.facts.rows.length > 0);
      case "forbidden":
        return takeForbidAnswers(transition, command.answers);
      case "catalogue":
        memory.setCatalogue(command.catalogue);
        transition.changes.push({ kind: "catalogue", catalogue: command.catalogue });
        return { kind: "done" };
      case "progress":
        for (const { key, attempt, fraction, message } of command.items) {
          const task = memory.tasks.get(key);
          if (task?.status.attempt !== attempt || isFinal(task.status.state)) continue;
          transition.update(
            task,
            { progress: Math.min(1, Math.max(0, fraction || 0)), progressMessage: message.slice(0, 256) },
            null,
            [],
          );
        }
        return { kind: "done" };
      case "tick":
        return tick(transition);
      case "read":
        return read(memory, command.query);
    }
  }
}
