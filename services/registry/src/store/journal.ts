import type { Change, Row, TaskChange } from "../domain/commands.js";

/**
 * The changes of a commit as the journal keeps them: those of tasks whose row isn't written with the same commit. (When replaying, changes older
 * than the row are passed over by their revision.)
 */
export function encodeChanges(changes: readonly Change[], rows: readonly Row[]): string | undefined {
  const written = new Set(rows.map((row) => (row.kind === "task" ? row.task.header.key : "")));
  const kept: Omit<TaskChange, "subject" | "from">[] = [];
  for (const change of changes) {
    if (change.kind !== "task" || written.has(change.key)) continue;
    const { kind, key, status, attempt, events } = change;
    kept.push({ kind, key, status, attempt, events });
  }
  return kept.length === 0 ? undefined : JSON.stringify(kept);
}

/** The reverse. */
export function decodeChanges(text: string): Change[] {
  return JSON.parse(text) as TaskChange[];
}

/** Largest revision among changes; 0 if there is none. */
export function revisionAfter(changes: readonly Change[]): number {
  let revision = 0;
  for (const change of changes) if (change.kind === "task") revision = Math.max(revision, change.status.revision);
  return revision;
}
